import {
  createFastCounter,
  createFastHistogram,
  createGauge,
  type FastCounter,
  type FastHistogram,
  LATENCY_BOUNDS_SECONDS,
} from "../../platform/metrics.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { TokenFault } from "./judge-token-answer.ts";

/** What one process tells of its log-ins. */
export interface TokenMetrics {
  result: FastCounter<"ok" | TokenFault["kind"]>;
  seconds: FastHistogram;
  /** Tells how long the oldest token that is due has been waiting; for the process that replaces them. */
  noteOverdue(seconds: number): void;
}

/** What a process said that replaces tokens no longer counts after this. */
const OVERDUE_LIFE_MS = 30_000;

const known = new WeakMap<Runtime, TokenMetrics>();

/** The process's one set of metrics, registered on first use. */
export function tokenMetricsOf(runtime: Runtime): TokenMetrics {
  const before = known.get(runtime);
  if (before !== undefined) return before;
  const { metrics } = runtime;
  let overdue: { seconds: number; atMs: number } | undefined;
  const made: TokenMetrics = {
    result: createFastCounter(metrics, {
      name: "hub_oauth_requests_total",
      help:
        "Requests of log-ins by what came of them: final: a person has to log in; refused: the configuration is wrong; " +
        "outage: no answer that decides; lost: sent, and no answer came",
      label: "result",
      values: ["ok", "final", "refused", "outage", "lost"],
    }),
    seconds: createFastHistogram(metrics, {
      name: "hub_oauth_request_seconds",
      help: "Time of requests to token endpoints",
      bounds: LATENCY_BOUNDS_SECONDS,
    }),
    noteOverdue: (seconds) => (overdue = { seconds, atMs: runtime.clock.nowMs() }),
  };
  createGauge(metrics, {
    name: "hub_oauth_refresh_overdue_seconds",
    help: "How long the oldest due token has been waiting for its refresh",
    aggregator: "max",
    read: () => {
      const isKnown = overdue !== undefined && runtime.clock.nowMs() - overdue.atMs < OVERDUE_LIFE_MS;
      return isKnown ? [{ value: overdue!.seconds }] : [];
    },
  });
  known.set(runtime, made);
  return made;
}
