import type { Registry } from "prom-client";
import { ACCEPT_OUTCOMES, type AcceptOutcomeName } from "../../domain/inbound/accept-webhook.ts";
import {
  createFastCounter,
  createFastHistogram,
  type FastHistogram,
  LATENCY_BOUNDS_SECONDS,
  SIZE_BOUNDS,
} from "../../platform/metrics.ts";

/** What is counted about accepting; no tenant labels. */
export interface IngressMetrics {
  count(outcome: AcceptOutcomeName): void;
  latency: FastHistogram;
  onBatch(size: number, waitedMs: number, error: Error | undefined): void;
}

/** Registers the metrics of the accept path. */
export function createIngressMetrics(registry: Registry): IngressMetrics {
  const outcomes = createFastCounter(registry, {
    name: "hub_accept_total",
    help: "Inbound webhooks by outcome",
    label: "outcome",
    values: ACCEPT_OUTCOMES,
  });
  const batchSize = createFastHistogram(registry, {
    name: "hub_accept_batch_size",
    help: "Requests in one call of the accept script",
    bounds: SIZE_BOUNDS,
  });
  const batches = createFastCounter(registry, {
    name: "hub_accept_batches_total",
    help: "Calls of the accept script by result",
    label: "result",
    values: ["ok", "error"],
  });
  return {
    count: (outcome) => outcomes.inc(outcome),
    latency: createFastHistogram(registry, {
      name: "hub_accept_seconds",
      help: "Time from the request to its answer",
      bounds: LATENCY_BOUNDS_SECONDS,
    }),
    onBatch: (size, _waitedMs, error) => {
      batchSize.observe(size);
      batches.inc(error === undefined ? "ok" : "error");
    },
  };
}
