import type { Runtime } from "../../platform/runtime.ts";
import { compileEntry, compileSubscription } from "./compile-subscription.ts";
import type { CompiledSubscription, SubscriptionEntry } from "./compiled-subscription.ts";
import { type FilterableEvent, UnmatchableEvent } from "./event-filter.ts";
import { MatchIndex } from "./match-index.ts";
import { findSubscriptionRows, readSubscriptionIndex, type SubscriptionRow } from "./store.ts";

export type { CompiledSubscription, SubscriptionEntry } from "./compiled-subscription.ts";

const TTL_MS = 30_000;
const NEGATIVE_TTL_MS = 5_000;
/** After its time an entry still serves for so long while it is renewed, so that no delivery waits for Postgres. */
const RENEW_GRACE_MS = 10_000;
/** Everything is read anew this often, whatever the marks of change say. */
const WHOLE_READ_MS = 600_000;
/** A change is visible at its commit, its mark is older: a statement of a verb may run for 15 s. */
const OVERLAP_MS = 20_000;
/** Rows of one read of the index: bounds the time for which compiling them holds up the event loop. */
const PIECE_ROWS = 2_000;
/** Subscriptions of all tenants in memory; the tenants that were quiet longest make room. */
const INDEXED_MAX = 500_000;
/** A tenant without subscriptions takes room too. */
const TENANT_PLACES = 10;
const COMPILED_MAX = 20_000;

interface TenantIndex {
  index: MatchIndex;
  /** Newest mark of change that was read. */
  changedAtMs: number;
  readWholeAtMs: number;
  expiresAtMs: number;
  /** False once a change was announced: then its reader waits for the new state. */
  mayServeStale: boolean;
}

/** A read of a tenant's subscriptions under way. */
interface Refresh {
  read: Promise<TenantIndex>;
  /** When it began. */
  epoch: number;
  /** For those who ask after a later change. */
  next: Promise<TenantIndex> | undefined;
}

interface CompiledEntry {
  subscription: CompiledSubscription | undefined;
  expiresAtMs: number;
  mayServeStale: boolean;
}

/**
 * Subscriptions for the workers, filled from Postgres, invalidated by pub/sub, expiring by time. Fan-out asks for what
 * matches an event and gets small shared entries; a delivery asks for one subscription with its secrets. With Postgres
 * away what is known serves on.
 */
export class SubscriptionCache {
  readonly #runtime: Runtime;
  readonly #tenants = new Map<string, TenantIndex>();
  readonly #refreshing = new Map<string, Refresh>();
  readonly #compiled = new Map<string, CompiledEntry>();
  readonly #asked = new Map<string, Promise<CompiledSubscription | undefined>>();
  #batch: Batch | undefined;
  /** Raised by each invalidation: a read that began before it must not count as fresh. */
  #epoch = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /**
   * Subscriptions of every status whose patterns and filter take the event; what is PAUSED or FAILED has its deliveries
   * held. The list may be shared with other calls: do not change it.
   *
   * @throws UnmatchableEvent when a filter fails at it; another error when Postgres is away and nothing is known of the
   * tenant
   */
  matching(
    tenantId: string,
    event: FilterableEvent,
  ): readonly SubscriptionEntry[] | Promise<readonly SubscriptionEntry[]> {
    const known = this.#tenants.get(tenantId);
    const nowMs = this.#runtime.clock.nowMs();
    if (known !== undefined) {
      if (nowMs < known.expiresAtMs) return select(known.index, event);
      const renewed = this.#refresh(tenantId, known);
      if (known.mayServeStale && nowMs < known.expiresAtMs + RENEW_GRACE_MS) {
        renewed.catch(() => undefined);
        return select(known.index, event);
      }
      return renewed.then(
        ({ index }) => select(index, event),
        () => select(known.index, event),
      );
    }
    return this.#refresh(tenantId, undefined).then(({ index }) => select(index, event));
  }

  /**
   * The subscription with this id, whatever its status; undefined when it is deleted or never was.
   *
   * @throws when Postgres is away and nothing is known of it
   */
  find(subscriptionId: string): CompiledSubscription | undefined | Promise<CompiledSubscription | undefined> {
    const known = this.#compiled.get(subscriptionId);
    const nowMs = this.#runtime.clock.nowMs();
    if (known === undefined) return this.#ask(subscriptionId);
    if (nowMs < known.expiresAtMs) return known.subscription;
    const renewed = this.#ask(subscriptionId);
    if (known.mayServeStale && nowMs < known.expiresAtMs + RENEW_GRACE_MS) {
      renewed.catch(() => undefined);
      return known.subscription;
    }
    return renewed.catch(() => known.subscription);
  }

  /** Hears of a change. @param name `<tenant id>/<subscription id>`, as `announceSubscription` tells it */
  invalidate(name: string): void {
    this.#epoch++;
    const slash = name.indexOf("/");
    const index = this.#tenants.get(name.slice(0, slash));
    if (index !== undefined) expire(index);
    const compiled = this.#compiled.get(name.slice(slash + 1));
    if (compiled !== undefined) expire(compiled);
  }

  /** Messages may have been missed: everything is asked anew, and serves on while Postgres is away. */
  clear(): void {
    this.#epoch++;
    for (const index of this.#tenants.values()) expire(index);
    for (const compiled of this.#compiled.values()) expire(compiled);
  }

  /** One read a tenant at a time; who asks after a change that it may have missed gets the next one. */
  #refresh(tenantId: string, known: TenantIndex | undefined): Promise<TenantIndex> {
    const running = this.#refreshing.get(tenantId);
    if (running === undefined) return this.#startRefresh(tenantId, known);
    if (running.epoch === this.#epoch) return running.read;
    const again = (): Promise<TenantIndex> => this.#refresh(tenantId, this.#tenants.get(tenantId));
    running.next ??= running.read.then(again, again);
    return running.next;
  }

  #startRefresh(tenantId: string, known: TenantIndex | undefined): Promise<TenantIndex> {
    const read = this.#readIndex(tenantId, known).finally(() => this.#refreshing.delete(tenantId));
    this.#refreshing.set(tenantId, { read, epoch: this.#epoch, next: undefined });
    return read;
  }

  async #readIndex(tenantId: string, known: TenantIndex | undefined): Promise<TenantIndex> {
    const epoch = this.#epoch;
    const nowMs = this.#runtime.clock.nowMs();
    const isWhole = known === undefined || nowMs - known.readWholeAtMs > WHOLE_READ_MS;
    const index = isWhole ? new MatchIndex() : known.index;
    let changedAtMs = isWhole ? 0 : known.changedAtMs;
    const changedAfter = isWhole ? undefined : new Date(changedAtMs - OVERLAP_MS);
    let afterId: string | undefined;
    do {
      const rows = await readSubscriptionIndex(this.#runtime.sqlSystem, tenantId, {
        afterId,
        limit: PIECE_ROWS,
        changedAfter,
      });
      for (const row of rows) {
        changedAtMs = Math.max(changedAtMs, row.changedAt.getTime());
        if (row.isDeleted) index.remove(row.id);
        else if (index.get(row.id)?.version !== row.changedAt.getTime())
          index.put(compileEntry(tenantId, row));
      }
      afterId = rows.length < PIECE_ROWS ? undefined : rows.at(-1)!.id;
    } while (afterId !== undefined);
    const entry: TenantIndex = {
      index,
      changedAtMs,
      readWholeAtMs: isWhole ? nowMs : known.readWholeAtMs,
      // What was announced while it was read may have been missed.
      expiresAtMs: epoch === this.#epoch ? nowMs + jitter(TTL_MS) : 0,
      mayServeStale: epoch === this.#epoch,
    };
    this.#tenants.delete(tenantId);
    if (isWhole) this.#makeRoom(index.size);
    this.#tenants.set(tenantId, entry);
    return entry;
  }

  #makeRoom(wanted: number): void {
    let indexed = wanted + TENANT_PLACES;
    for (const { index } of this.#tenants.values()) indexed += index.size + TENANT_PLACES;
    for (const [tenantId, { index }] of this.#tenants) {
      if (indexed <= INDEXED_MAX) return;
      this.#tenants.delete(tenantId);
      indexed -= index.size + TENANT_PLACES;
    }
  }

  /** Those asked for in one turn of the event loop are read by one statement. */
  #ask(id: string): Promise<CompiledSubscription | undefined> {
    const asked = this.#asked.get(id);
    if (asked !== undefined) return asked;
    this.#batch ??= this.#openBatch();
    this.#batch.ids.push(id);
    const asking = this.#batch.rows
      .then(({ byId, epoch }) => this.#compile(id, byId.get(id), epoch))
      .finally(() => this.#asked.delete(id));
    this.#asked.set(id, asking);
    return asking;
  }

  #openBatch(): Batch {
    const ids: string[] = [];
    const read = async (): Promise<BatchRows> => {
      await new Promise((resolve) => setImmediate(resolve));
      this.#batch = undefined;
      const epoch = this.#epoch;
      const rows = await findSubscriptionRows(this.#runtime.sqlSystem, ids);
      return { byId: new Map(rows.map((row) => [row.id, row])), epoch };
    };
    return { ids, rows: read() };
  }

  async #compile(
    id: string,
    row: SubscriptionRow | undefined,
    epoch: number,
  ): Promise<CompiledSubscription | undefined> {
    const nowMs = this.#runtime.clock.nowMs();
    const compiled = row === undefined ? undefined : await compileSubscription(this.#runtime, row);
    if (this.#compiled.size >= COMPILED_MAX) this.#compiled.clear();
    const lifetimeMs = jitter(compiled === undefined ? NEGATIVE_TTL_MS : TTL_MS);
    const isFresh = epoch === this.#epoch;
    this.#compiled.set(id, {
      subscription: compiled?.subscription,
      expiresAtMs: isFresh ? Math.min(nowMs + lifetimeMs, compiled?.secretsChangeAtMs ?? Infinity) : 0,
      mayServeStale: isFresh,
    });
    return compiled?.subscription;
  }
}

interface BatchRows {
  byId: ReadonlyMap<string, SubscriptionRow>;
  epoch: number;
}

interface Batch {
  ids: string[];
  rows: Promise<BatchRows>;
}

function expire(entry: { expiresAtMs: number; mayServeStale: boolean }): void {
  entry.expiresAtMs = 0;
  entry.mayServeStale = false;
}

function jitter(ms: number): number {
  return ms * (0.8 + Math.random() * 0.2);
}

function select(index: MatchIndex, event: FilterableEvent): readonly SubscriptionEntry[] {
  const { entries, hasFilters } = index.byType(event.type);
  if (!hasFilters) return entries;
  let judging = "";
  try {
    return entries.filter(({ id, filter }) => {
      judging = id;
      return filter === undefined || filter(event);
    });
  } catch (error) {
    const { message } = error as Error;
    throw new UnmatchableEvent(`the filter of subscription ${judging} failed: ${message}`, { cause: error });
  }
}
