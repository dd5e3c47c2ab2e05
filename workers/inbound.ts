import { EndpointCache } from "../src/domain/inbound/endpoint-cache.ts";
import { EndpointShare } from "../src/domain/inbound/endpoint-share.ts";
import { InboundFinisher } from "../src/domain/inbound/finish-inbound.ts";
import { LateDuplicates } from "../src/domain/inbound/late-duplicates.ts";
import { startMover } from "../src/domain/inbound/move-due.ts";
import type { ProcessSink } from "../src/domain/inbound/inbound-work.ts";
import {
  deferEntries,
  giveUpCrashed,
  type ProcessDeps,
  processInbound,
} from "../src/domain/inbound/process-inbound.ts";
import { RetryQueue } from "../src/domain/inbound/retry-queue.ts";
import { ServiceCache } from "../src/domain/services/service-cache.ts";
import { StreamTarget } from "../src/domain/services/stream-target.ts";
import { TargetHealth } from "../src/domain/services/target-health.ts";
import { jsonataPoolOf } from "../src/domain/transformations/runtime-pool.ts";
import { senderOf } from "../src/platform/egress/runtime-sender.ts";
import { subscribeInvalidation } from "../src/platform/invalidation.ts";
import {
  createFastHistogram,
  createGauge,
  LATENCY_BOUNDS_SECONDS,
  SIZE_BOUNDS,
} from "../src/platform/metrics.ts";
import { inboundKeys, WORKER_GROUP } from "../src/platform/redis/keys.ts";
import type { Runtime } from "../src/platform/runtime.ts";
import type { RedisClient } from "../src/platform/redis/script.ts";
import { BurstWatch } from "../src/platform/streams/burst-watch.ts";
import { type ConsumerOptions, StreamConsumer } from "../src/platform/streams/consume.ts";
import type { HeldEntry } from "../src/platform/streams/stream-entry.ts";

/** Time for what is held to be finished at a stop; the rest is taken over by another worker. */
const DRAIN_MS = 10_000;
const DRAIN_CHECK_MS = 20;

/** How often it is looked whether what waits behind a slow endpoint gives way. */
const SHARE_TICK_MS = 100;

/** Consumer `inbound`: accepted webhooks, from the stream to their target and into Postgres. */
export const inbound = {
  name: "inbound",
  start: startInbound,
};

async function startInbound(
  runtime: Runtime,
  options: { sharesMachine?: boolean } = {},
): Promise<{ stop(): Promise<void> }> {
  const { config, log } = runtime;
  const deps = await openDeps(runtime);
  const client = runtime.openRedis("consumer");
  const finisher = createFinisher(runtime, (entry) => consumer.settle(entry));
  const retries = new RetryQueue({
    again(treatment, entries) {
      const mine = entries.filter((entry) => keepOrSettle(entry));
      if (treatment === "giveUp") return void giveUpCrashed(deps, mine, sink);
      const inWork = mine.filter((entry) => share.isInWork(entry));
      if (inWork.length > 0) void processInbound(deps, inWork, sink);
      share.admit(mine.filter((entry) => !share.isInWork(entry)));
    },
    onRetry: (count, err) => log.warn({ err, count }, "entries are tried again"),
  });
  const sink: ProcessSink = {
    finish(receipt) {
      share.leave(receipt.entry);
      finisher.add(receipt);
    },
    giveBack: (entries, error, treatment) => retries.add(entries, error, treatment),
    discard(entry, error) {
      log.error({ err: error, id: entry.id }, "entry of unknown form is removed");
      share.leave(entry);
      finisher.discard(entry).catch((failure: unknown) => log.warn({ err: failure }, "entry not removed"));
    },
  };
  const share = new EndpointShare({
    queueSize: config.webhookQueueSize,
    nowMs: () => runtime.clock.nowMs(),
    start: (entries) => void processInbound(deps, entries, sink),
    defer: (deferred) => void deferEntries(deps, deferred, sink),
  });
  const consumer = createConsumer(runtime, client, options.sharesMachine === true, {
    onEntries: (entries) => share.admit(entries),
    onCrashed(entry) {
      log.error({ id: entry.id }, "entry took its process down three times");
      void giveUpCrashed(deps, [entry], sink);
    },
  });
  /** What a lost slot held is another worker's now. */
  const keepOrSettle = (entry: HeldEntry): boolean => {
    if (!entry.session.slot.lost()) return true;
    share.leave(entry);
    consumer.settle(entry);
    return false;
  };
  await consumer.start();
  const stopMover = startMover(runtime, client);
  const ticker = setInterval(() => share.tick(), SHARE_TICK_MS);
  return {
    async stop() {
      stopMover();
      await consumer.stopReading();
      const deadline = performance.now() + DRAIN_MS;
      while (consumer.heldCount > 0 && performance.now() < deadline) await Bun.sleep(DRAIN_CHECK_MS);
      clearInterval(ticker);
      retries.stop();
      await finisher.drain(Math.max(0, deadline - performance.now()));
      await consumer.close();
    },
  };
}

function createConsumer(
  runtime: Runtime,
  client: RedisClient,
  sharesMachine: boolean,
  handlers: Pick<ConsumerOptions, "onEntries" | "onCrashed">,
): StreamConsumer {
  const { config, log } = runtime;
  const streams = Array.from(
    { length: config.streamPartitions },
    (_, partition) => inboundKeys(partition).stream,
  );
  return new StreamConsumer({
    client,
    cluster: "nodes" in client,
    group: WORKER_GROUP,
    streams,
    loops: config.webhookWorkers,
    queueSize: config.webhookQueueSize,
    log,
    ...(sharesMachine ? { burst: new BurstWatch(runtime, streams) } : {}),
    ...handlers,
  });
}

async function openDeps(runtime: Runtime): Promise<ProcessDeps> {
  const endpoints = new EndpointCache(runtime);
  const services = new ServiceCache(runtime);
  await subscribeInvalidation(runtime, {
    handlers: {
      endpoint: (id) => endpoints.invalidate(id),
      integration: () => endpoints.clear(),
      service: (name) => services.invalidate(name),
    },
    onReconnect() {
      endpoints.clear();
      services.clear();
    },
  });
  return {
    runtime,
    endpoints,
    transformations: jsonataPoolOf(runtime),
    lateDuplicates: new LateDuplicates(runtime, endpoints),
    sender: {
      services,
      streams: new StreamTarget(runtime.redis),
      http: senderOf(runtime),
      health: new TargetHealth(),
      nowMs: () => runtime.clock.nowMs(),
    },
  };
}

function createFinisher(runtime: Runtime, settle: (entry: HeldEntry) => void): InboundFinisher {
  const sizes = createFastHistogram(runtime.metrics, {
    name: "hub_inbound_batch_size",
    help: "Receipts written in one transaction",
    bounds: SIZE_BOUNDS,
  });
  const lag = createFastHistogram(runtime.metrics, {
    name: "hub_inbound_write_seconds",
    help: "Time from the first finished receipt of a batch to the end of its commit",
    bounds: LATENCY_BOUNDS_SECONDS,
  });
  let lastLagMs = 0;
  createGauge(runtime.metrics, {
    name: "hub_log_writer_lag_seconds",
    help: "Lag of the last batch of receipts and log rows",
    aggregator: "max",
    read: () => [{ labels: {}, value: lastLagMs / 1000 }],
  });
  return new InboundFinisher({
    runtime,
    client: runtime.openRedis("consumer"),
    settle,
    onBatch(size, lagMs) {
      sizes.observe(size);
      lag.observe(lagMs / 1000);
      lastLagMs = lagMs;
    },
  });
}
