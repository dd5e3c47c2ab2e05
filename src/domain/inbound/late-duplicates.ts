import type { Runtime } from "../../platform/runtime.ts";
import { INCARNATION_KEY } from "../../platform/redis/keys.ts";
import { timeOfId } from "../../platform/uuid.ts";
import type { EndpointCache } from "./endpoint-cache.ts";
import type { ReceiptFacts } from "./finished-receipt.ts";

/** Time for which "there is nothing older to look at" is believed. */
const EMPTY_CHECK_MS = 60_000;

/** Longest `dedupeWindowSeconds` of an endpoint. */
const WINDOW_MAX_MS = 30 * 86_400_000;

interface Match {
  id: string;
  firstId: string;
}

/**
 * The cold tier of deduplication: events that came back later than Redis remembers. Only receipts from before Redis'
 * memory are looked at, in one query a batch, and none at all while there are none.
 */
export class LateDuplicates {
  readonly #runtime: Runtime;
  readonly #endpoints: EndpointCache;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
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
    const candidates = receipts.filter(({ eventId }) => eventId !== null);
    if (candidates.length === 0) return new Map();
    try {
      const boundaryMs = await this.#boundaryMs();
      if (boundaryMs === undefined) return new Map();
      return await this.#lookUp(candidates, boundaryMs);
    } catch (error) {
      this.#runtime.log.warn({ err: error }, "late duplicates not looked up");
      return new Map();
    }
  }

  /** Receipts older than this are out of Redis' memory; undefined: there are none. */
  async #boundaryMs(): Promise<number | undefined> {
    const { clock, redis, sqlSystem } = this.#runtime;
    const nowMs = clock.nowMs();
    if (nowMs - this.#checkedAtMs > EMPTY_CHECK_MS) {
      const incarnation = await redis.get(INCARNATION_KEY);
      this.#memorySinceMs = incarnation === null ? nowMs : timeOfId(incarnation);
      const boundary = new Date(this.#boundary(nowMs));
      const [row] = await sqlSystem`
        select 1 from webhook_receipts
        where created_at >= ${new Date(nowMs - WINDOW_MAX_MS)} and created_at < ${boundary} limit 1`;
      this.#hasOlder = row !== undefined;
      this.#checkedAtMs = nowMs;
    }
    return this.#hasOlder ? this.#boundary(nowMs) : undefined;
  }

  #boundary(nowMs: number): number {
    return Math.max(this.#memorySinceMs, nowMs - this.#runtime.config.dedupeHotSeconds * 1000);
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
    const endpoint = await this.#endpoints.byId(receipt.endpointId);
    return timeOfId(receipt.id) - (endpoint?.dedupeWindowSeconds ?? 0) * 1000;
  }
}
