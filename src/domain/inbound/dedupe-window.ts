import { seenSpanKey } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";

/** When a partition's remembered event ids begin, where memory was made before its time; see forget-seen.lua. */
export interface SeenSpan {
  /** Ids from before this time are forgotten, or about to be; milliseconds, 0 when nothing was forgotten early. */
  sinceMs: number;
  /** When the current generation took the place of the previous one; 0 when it never did. */
  beganMs: number;
}

/** By how much the clocks of processes may differ: a minute, or less where generations are short. */
export function clockToleranceMs(hotSeconds: number): number {
  return Math.min(60_000, hotSeconds * 125);
}

/**
 * From when on Redis remembers event ids: that of the current and the previous generation of DEDUPE_HOT_SECONDS, less
 * what was forgotten early. A generation whose content was moved to the previous one's place goes with the next switch.
 *
 * @param nowMs milliseconds since the epoch
 * @returns milliseconds since the epoch; rather too late than too early, since Postgres judges what came before
 */
export function rememberedSinceMs(spans: readonly SeenSpan[], hotSeconds: number, nowMs: number): number {
  const hotMs = hotSeconds * 1000;
  const generation = Math.floor((nowMs + clockToleranceMs(hotSeconds)) / hotMs);
  let since = (generation - 1) * hotMs;
  for (const { sinceMs, beganMs } of spans) {
    const movedEarlier = Math.floor(beganMs / hotMs) < generation ? beganMs : 0;
    since = Math.max(since, sinceMs, movedEarlier);
  }
  return since;
}

/**
 * The spans of all partitions.
 *
 * @throws when Redis is away
 */
export async function readSeenSpans(runtime: Runtime): Promise<SeenSpan[]> {
  const { redis, config } = runtime;
  return Promise.all(
    Array.from({ length: config.streamPartitions }, async (_, partition) => {
      const [since, began] = await redis.hmget(seenSpanKey(partition), "since", "began");
      return { sinceMs: Number(since ?? 0), beganMs: Number(began ?? 0) };
    }),
  );
}

/**
 * Seconds for which every event id is remembered by Redis, DEDUPE_HOT_SECONDS at most.
 *
 * @throws when Redis is away
 */
export async function readDedupeWindowSeconds(runtime: Runtime): Promise<number> {
  const { dedupeHotSeconds } = runtime.config;
  const nowMs = runtime.clock.nowMs();
  const since = rememberedSinceMs(await readSeenSpans(runtime), dedupeHotSeconds, nowMs);
  return Math.min(dedupeHotSeconds, Math.max(0, Math.floor((nowMs - since) / 1000)));
}
