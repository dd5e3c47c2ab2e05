import type { Server } from "bun";
import { AcceptBatcher } from "../domain/inbound/accept-batch.ts";
import type { AcceptDeps } from "../domain/inbound/accept-webhook.ts";
import { startCapacityPoller } from "../domain/inbound/capacity.ts";
import { EndpointCache } from "../domain/inbound/endpoint-cache.ts";
import { LargeInspector } from "../domain/inbound/large-inspector.ts";
import { RejectionSampler } from "../domain/inbound/rejections/rejection-sampler.ts";
import { subscribeInvalidation } from "../platform/invalidation.ts";
import { compileAddressList } from "../platform/net/address.ts";
import { AnswerTimeReport } from "../platform/streams/answer-time.ts";
import { untilReady } from "../platform/redis/info.ts";
import { inboundKeys } from "../platform/redis/keys.ts";
import type { Runtime } from "../platform/runtime.ts";
import { createApp } from "./app.ts";
import { drain } from "./drain.ts";
import { handleProxy, proxyPathOf } from "./gateway/handle-proxy.ts";
import { createIngressMetrics } from "./ingress/ingress-metrics.ts";
import { handleWebhook, type IngressDeps, webhookPathStart } from "./ingress/handle-webhook.ts";
import { BodyBudget } from "./ingress/read-body.ts";
import { answerWithoutHost } from "./without-host.ts";
import { followDataKeys } from "../domain/vault/follow-data-keys.ts";

/** Idle connections are closed after this; also the longest that a handler may be silent. */
const IDLE_TIMEOUT_SECONDS = 60;

/** Longest wait for the connection over which webhooks are accepted. */
const REDIS_WAIT_MS = 5_000;

/**
 * Opens the HTTP server: inbound webhooks straight to their handler, everything else to Elysia. Adds the orderly stop
 * to the runtime's shutdown.
 *
 * @param options.sharesPort with the process that will replace it; those of EDGE_PROCESSES share it in any case
 */
export async function serveEdge(
  runtime: Runtime,
  options: { sharesPort?: boolean } = {},
): Promise<Server<undefined>> {
  const ingress = await createIngress(runtime);
  const app = createApp(runtime, ingress);
  const answer = (request: Request, self: Server<undefined>): Response | Promise<Response> => {
    const pathStart = webhookPathStart(request.url);
    if (pathStart >= 0) return handleWebhook(ingress, request, self, pathStart);
    const proxied = proxyPathOf(request.url);
    if (proxied !== undefined) return handleProxy(runtime, request, self, proxied);
    return request.url.startsWith("/") ? answerWithoutHost(request, app.handle) : app.handle(request);
  };
  const server = Bun.serve({
    hostname: runtime.config.host,
    port: runtime.config.port,
    // With it a second process on the port would silently take part of the traffic; only wanted among our own.
    reusePort: options.sharesPort === true || runtime.config.edgeProcesses > 1,
    idleTimeout: IDLE_TIMEOUT_SECONDS,
    // Bounded by whoever reads: our own 413 answers, with its problem document and its count, and what is proxied passes
    // through whatever its size.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    development: false,
    fetch: answer,
    error(error) {
      runtime.log.error({ err: error }, "request failed");
      return new Response(null, { status: 500 });
    },
  });
  app.server = server as never;
  runtime.shutdown.add("http", () => drain(server, answer));
  return server;
}

async function createIngress(runtime: Runtime): Promise<IngressDeps> {
  const { config } = runtime;
  const metrics = createIngressMetrics(runtime.metrics);
  const endpoints = new EndpointCache(runtime);
  await subscribeInvalidation(runtime, {
    handlers: {
      endpoint: (id) => endpoints.invalidate(id),
      integration: () => endpoints.clear(),
      tenant: () => endpoints.clear(),
    },
    onReconnect: () => endpoints.clear(),
  });
  await followDataKeys(runtime);
  const client = runtime.openRedis("ingest");
  // A process that takes its port's requests before it has this connection would refuse the first of them.
  await untilReady(client, REDIS_WAIT_MS).catch((error: unknown) => {
    runtime.log.warn({ err: error }, "listening without Redis; senders get 503 until it answers");
  });
  const capacity = startCapacityPoller(runtime, inboundKeys);
  const answerTime = new AnswerTimeReport(runtime);
  const batcher = new AcceptBatcher({
    client,
    cluster: "nodes" in client,
    capacity: config.streamCapacity,
    isNearCapacity: () => capacity.isNearCapacity(),
    dedupeHotSeconds: config.dedupeHotSeconds,
    ackReplicas: config.ackReplicas,
    nowMs: () => runtime.clock.nowMs(),
    onBatch(size, waitedMs, error) {
      metrics.onBatch(size, waitedMs, error);
      answerTime.add(size, waitedMs);
    },
  });
  const isTrustedProxy = compileAddressList(config.trustedProxies);
  const deps: AcceptDeps = {
    runtime,
    endpoints,
    batcher,
    largeInspector: new LargeInspector(runtime),
    capacityRefusal: (tenantId) => (client.status === "ready" ? capacity.refusal(tenantId) : "redis_away"),
    isTrustedProxy,
    count: metrics.count,
    rejections: new RejectionSampler(runtime, { endpoints, isTrustedProxy }),
  };
  return { ...deps, budget: new BodyBudget(), latency: metrics.latency };
}
