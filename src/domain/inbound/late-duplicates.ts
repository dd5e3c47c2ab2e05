import type { Runtime } from "../../platform/runtime.ts";
import { INCARNATION_KEY } from "../../platform/redis/keys.ts";
import { timeOfId } from "../../platform/uuid.ts";
import { clockToleranceMs, readSeenSpans, rememberedSinceMs, type SeenSpan } from "./dedupe-window.ts";
import type { EndpointCache } from "./endpoint-cache.ts";
import type { ReceiptFacts } from "./finished-receipt.ts";

/** Time for which "there is nothing older to look at" is believed. */
const EMPTY_CHECK_MS = 60_000;

/** Time for which the begin of Redis' memory is believed: forgetting early is announced ten seconds before. */
const SPAN_CHECK_MS = 2_000;

/** Window of an id that is only the body's hash (see accept.lua). */
const BODY_HASH_WINDOW_MS = 300_000;

/** Longest `dedupeWindowSeconds` of an endpoint. */
const WINDOW_MAX_MS = 30 * 86_400_000;

interface Match {
  id: string;
  firstId: string;
}

/**
 * The cold tier of deduplication: events that came back later than Redis remembers, also where it had to forget early
 * (limit-dedupe-memory.ts). Only receipts from before Redis' memory are looked at, in one query a batch, and none at all while there are none.
 */
export class LateDuplicates {
  readonly #runtime: Runtime;
  readonly #endpoints: EndpointCache;
  #spansReadAtMs = Number.NEGATIVE_INFINITY;
  #spans: readonly SeenSpan[] = [];
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #checkedBoundaryMs = 0;
  #memorySinceMs = 0;
  #hasOlder = false;

  constructor(runtime: Runtime, endpoints: EndpointCache) {
    this.#runtime = runtime;
    this.#endpoints = endpoints;
  }

  /**
   * Which of these are repetitions, as receipt id → id of the first receipt. With Postgres away it knows none: a late
   * duplicate is then processed once more, under its own id.
   */
  async find(receipts: readonly ReceiptFacts[]): Promise<Map<string, string>> {
    if (receipts.length === 0) return new Map();
    try {
      const boundaryMs = await this.#boundaryMs();
      if (boundaryMs === undefined) return new Map();
      const candidates = receipts.filter(
        ({ id, eventId }) => eventId !== null || timeOfId(id) - BODY_HASH_WINDOW_MS < boundaryMs,
      );
      return candidates.length === 0 ? new Map() : await this.#lookUp(candidates, boundaryMs);
    } catch (error) {
      this.#runtime.log.warn({ err: error }, "late duplicates not looked up");
      return new Map();
    }
  }

  /** Receipts older than this are out of Redis' memory; undefined: there are none. */
  async #boundaryMs(): Promise<number | undefined> {
    const { clock, redis, sqlSystem, config } = this.#runtime;
    const nowMs = clock.nowMs();
    if (nowMs - this.#spansReadAtMs > SPAN_CHECK_MS) {
      this.#spans = await readSeenSpans(this.#runtime);
      this.#spansReadAtMs = nowMs;
    }
    const isDue = nowMs - this.#checkedAtMs > EMPTY_CHECK_MS;
    if (isDue) {
      const incarnation = await redis.get(INCARNATION_KEY);
      this.#memorySinceMs = incarnation === null ? nowMs : timeOfId(incarnation);
    }
    const remembered = rememberedSinceMs(this.#spans, config.dedupeHotSeconds, nowMs);
    const boundaryMs = Math.max(this.#memorySinceMs, remembered + clockToleranceMs(config.dedupeHotSeconds));
    if (isDue || boundaryMs > this.#checkedBoundaryMs) {
      const [row] = await sqlSystem`
        select 1 from webhook_receipts
        where created_at >= ${new Date(nowMs - WINDOW_MAX_MS)} and created_at < ${new Date(boundaryMs)} limit 1`;
      this.#hasOlder = row !== undefined;
      this.#checkedAtMs = nowMs;
      this.#checkedBoundaryMs = boundaryMs;
    }
    return this.#hasOlder ? boundaryMs : undefined;
  }

  async #lookUp(receipts: readonly ReceiptFacts[], boundaryMs: number): Promise<Map<string, string>> {
    const fromMs = await Promise.all(receipts.map((receipt) => this.#windowStartMs(receipt)));
    const matches = await this.#runtime.sqlSystem<Match[]>`
      select given.id, first.id as "firstId"
      from unnest(
        ${receipts.map(({ id }) => id)}::text[]::uuid[],
        ${receipts.map(({ endpointId }) => endpointId)}::text[]::uuid[],
        ${receipts.map(({ eventKey }) => eventKey)}::text[],
        ${fromMs}::float8[]
      ) as given(id, endpoint_id, event_key, from_ms)
      cross join lateral (
        select r.id from webhook_receipts r
        where r.endpoint_id = given.endpoint_id and r.event_key = given.event_key and r.id < given.id
          and r.created_at >= to_timestamp(given.from_ms / 1000.0)
          and r.created_at >= ${new Date(Math.min(...fromMs))} and r.created_at < ${new Date(boundaryMs)}
          and r.status <> 'DUPLICATE'
        order by r.id limit 1
      ) first`;
    return new Map(matches.map(({ id, firstId }) => [id, firstId]));
  }

  async #windowStartMs(receipt: ReceiptFacts): Promise<number> {
    if (receipt.eventId === null) return timeOfId(receipt.id) - BODY_HASH_WINDOW_MS;
    const endpoint = await this.#endpoints.byId(receipt.endpointId);
    return timeOfId(receipt.id) - (endpoint?.dedupeWindowSeconds ?? 0) * 1000;
  }
}
