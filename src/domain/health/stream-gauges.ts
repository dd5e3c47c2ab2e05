import { createGauge } from "../../platform/metrics.ts";
import { eventKeys, inboundKeys } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { readDedupeWindowSeconds } from "../inbound/dedupe-window.ts";

/** Sums over the partitions of one topic. */
interface TopicDepth {
  topic: string;
  /** Entries in the streams: waiting and in work. */
  entries: number;
  /** Waiting for their next attempt. */
  retrying: number;
  /** Waiting for a paused endpoint. */
  held: number;
  /** Age of the oldest entry; 0 when there is none. */
  oldestSeconds: number;
}

/**
 * Counts what a topic holds now, by asking Redis.
 *
 * @throws when Redis is away
 */
export async function readInboundDepth(runtime: Runtime): Promise<TopicDepth> {
  const { redis, config, clock } = runtime;
  const partitions = await Promise.all(
    Array.from({ length: config.streamPartitions }, async (_, partition) => {
      const keys = inboundKeys(partition);
      const [entries, retrying, held, first] = await Promise.all([
        redis.xlen(keys.stream),
        redis.zcard(keys.retry),
        redis.scard(keys.held),
        redis.xrange(keys.stream, "-", "+", "COUNT", 1),
      ]);
      return {
        entries,
        retrying,
        held,
        oldestMs: first[0] === undefined ? Infinity : Number.parseInt(first[0][0], 10),
      };
    }),
  );
  const total = (pick: (depth: (typeof partitions)[number]) => number): number =>
    partitions.reduce((sum, depth) => sum + pick(depth), 0);
  const oldestMs = Math.min(...partitions.map((depth) => depth.oldestMs));
  return {
    topic: "inbound",
    entries: total((depth) => depth.entries),
    retrying: total((depth) => depth.retrying),
    held: total((depth) => depth.held),
    oldestSeconds: Number.isFinite(oldestMs) ? Math.max(0, (clock.nowMs() - oldestMs) / 1000) : 0,
  };
}

/**
 * Counts the events that wait for their fan-out.
 *
 * @throws when Redis is away
 */
export async function readEventDepth(runtime: Runtime): Promise<TopicDepth> {
  const { redis, config, clock } = runtime;
  const partitions = await Promise.all(
    Array.from({ length: config.streamPartitions }, async (_, partition) => {
      const { stream } = eventKeys(partition);
      const [entries, first] = await Promise.all([
        redis.xlen(stream),
        redis.xrange(stream, "-", "+", "COUNT", 1),
      ]);
      return { entries, oldestMs: first[0] === undefined ? Infinity : Number.parseInt(first[0][0], 10) };
    }),
  );
  const oldestMs = Math.min(...partitions.map((depth) => depth.oldestMs));
  return {
    topic: "events",
    entries: partitions.reduce((sum, { entries }) => sum + entries, 0),
    retrying: 0,
    held: 0,
    oldestSeconds: Number.isFinite(oldestMs) ? Math.max(0, (clock.nowMs() - oldestMs) / 1000) : 0,
  };
}

/** How long a reading is shown before Redis is asked again, whoever scrapes. */
const READING_LIFETIME_MS = 2000;

/**
 * Registers depth and age of the topics. Every edge process reads the same Redis, so several readings join as their
 * maximum.
 *
 * @returns refreshes the readings; call it before the metrics are read
 */
export function registerStreamGauges(runtime: Runtime): () => Promise<void> {
  let depths: TopicDepth[] = [];
  let readAtMs = -Infinity;
  const gauge = (name: string, help: string, pick: (depth: TopicDepth) => number): void =>
    createGauge(runtime.metrics, {
      name,
      help,
      aggregator: "max",
      read: () => depths.map((depth) => ({ labels: { topic: depth.topic }, value: pick(depth) })),
    });
  gauge("hub_stream_depth", "Entries in the streams of a topic", (depth) => depth.entries);
  gauge("hub_stream_oldest_seconds", "Age of the oldest entry of a topic", (depth) => depth.oldestSeconds);
  gauge("hub_retry_depth", "Messages that wait for their next attempt", (depth) => depth.retrying);
  gauge("hub_held_depth", "Messages that wait for a paused endpoint", (depth) => depth.held);
  let dedupeWindowSeconds = runtime.config.dedupeHotSeconds;
  createGauge(runtime.metrics, {
    name: "hub_dedupe_window_seconds",
    help: "Time for which Redis remembers event ids, less than DEDUPE_HOT_SECONDS where memory is short; Postgres judges beyond it",
    aggregator: "min",
    read: () => [{ value: dedupeWindowSeconds }],
  });
  return async () => {
    if (performance.now() - readAtMs < READING_LIFETIME_MS) return;
    readAtMs = performance.now();
    try {
      depths = await Promise.all([readInboundDepth(runtime), readEventDepth(runtime)]);
      dedupeWindowSeconds = await readDedupeWindowSeconds(runtime);
    } catch (error) {
      depths = [];
      runtime.log.warn({ err: error }, "stream depth not read");
    }
  };
}
