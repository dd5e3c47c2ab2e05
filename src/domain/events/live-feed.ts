import { STORED_EVENTS_CHANNEL } from "../../platform/redis/keys.ts";
import { subscribe } from "../../platform/redis/subscribe.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError } from "../errors.ts";
import { type EventPosition, type LiveEventRow, readLiveRows, readRowsAfter } from "./event-list-store.ts";
import { matchesPattern } from "./event-type.ts";
import type { StoredNotice } from "./announce-stored.ts";

/** One viewer's connection. */
export interface LiveViewer {
  ctx: Context;
  /** Stored patterns; undefined: every type. */
  pattern: string | undefined;
  /** Where the viewer was; undefined: from now on. */
  after: EventPosition | undefined;
  /** Takes an event. @returns false when the viewer is too slow: it is let go, and comes back from where it was */
  send(row: LiveEventRow): boolean;
  close(): void;
}

/** Viewers of one process; each may keep a MiB waiting. */
const VIEWERS_MAX = 200;
const VIEWERS_PER_TENANT_MAX = 20;

/** How far is looked back after the connection to Redis was away, and ids that are remembered so that none comes twice. */
const LOOK_BACK_MS = 60_000;
const REMEMBERED_MAX = 10_000;
const PAGE_ROWS = 200;
/** Events that a returning viewer is sent at most, the oldest first; those between them and now are in the list. */
const RESUME_ROWS_MAX = 10_000;

/** What one viewer has seen. */
interface Seat {
  viewer: LiveViewer;
  sent: Set<string>;
  /** Its turn to read; one at a time, so that events keep their order. */
  work: Promise<void>;
  /** Events that were accepted before are not for it. */
  sinceMs: number;
  gone: boolean;
}

/**
 * Live views of this process. The fan-out tells which events it has stored; they are read from Postgres for the tenants
 * that somebody looks at. After a lost connection to Redis the last minute is looked through.
 */
export class LiveFeed {
  readonly #runtime: Runtime;
  readonly #seats = new Map<string, Set<Seat>>();
  #count = 0;
  #listening: Promise<void> | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    runtime.shutdown.add("live views", () => this.#closeAll());
  }

  /**
   * Adds a viewer: first it gets what it missed since `after`, then what comes.
   *
   * @returns ends it
   * @throws HubError 403 `forbidden`; 503 `unavailable` when there are too many already, or Redis is away
   */
  async join(viewer: LiveViewer): Promise<() => void> {
    const { ctx } = viewer;
    requireScope(ctx, "events:read");
    const seats = this.#seats.get(ctx.tenantId) ?? new Set<Seat>();
    if (this.#count >= VIEWERS_MAX || seats.size >= VIEWERS_PER_TENANT_MAX)
      throw new HubError("unavailable", "There are too many live views.", { retryAfterSeconds: 30 });
    this.#listening ??= this.#listen();
    const nowMs = this.#runtime.clock.nowMs();
    const seat: Seat = { viewer, sent: new Set(), work: Promise.resolve(), sinceMs: nowMs, gone: false };
    this.#seats.set(ctx.tenantId, seats.add(seat));
    this.#count++;
    if (viewer.after !== undefined) {
      seat.sinceMs = Math.min(seat.sinceMs, viewer.after.createdAtMs);
      seat.sent.add(viewer.after.id);
      this.#enqueue(seat, () => this.#resume(seat, viewer.after!));
    }
    try {
      await this.#listening;
    } catch (error) {
      // The next viewer tries again, and this one's seat is free for it.
      this.#listening = undefined;
      this.#leave(seat);
      this.#runtime.log.warn({ err: error }, "live views cannot listen");
      throw new HubError("unavailable", undefined, { retryAfterSeconds: 1 });
    }
    return () => this.#leave(seat);
  }

  /** Lets a viewer go; one that left by itself has closed its stream already. */
  #dismiss(seat: Seat): void {
    if (seat.gone) return;
    this.#leave(seat);
    seat.viewer.close();
  }

  #leave(seat: Seat): void {
    if (seat.gone) return;
    seat.gone = true;
    this.#count--;
    const { tenantId } = seat.viewer.ctx;
    const seats = this.#seats.get(tenantId);
    seats?.delete(seat);
    if (seats?.size === 0) this.#seats.delete(tenantId);
  }

  #closeAll(): void {
    for (const seat of [...this.#seats.values()].flatMap((seats) => [...seats])) {
      this.#dismiss(seat);
    }
  }

  async #listen(): Promise<void> {
    await subscribe(this.#runtime, STORED_EVENTS_CHANNEL, {
      onMessage: (message) => this.#onNotice(JSON.parse(message) as StoredNotice),
      onGap: () => this.#lookBack(),
    });
  }

  #onNotice(notice: StoredNotice): void {
    for (const [tenantId, refs] of Object.entries(notice)) {
      const seats = this.#seats.get(tenantId);
      if (seats === undefined) continue;
      const positions = refs.map(([id, createdAtMs]) => ({ id, createdAtMs }));
      // Read once, by whichever viewer's turn comes first.
      let rows: Promise<LiveEventRow[]> | undefined;
      for (const seat of seats) {
        this.#enqueue(seat, async () => {
          rows ??= withTenant(seat.viewer.ctx, (tx) => readLiveRows(tx, tenantId, positions));
          this.#send(seat, await rows);
        });
      }
    }
  }

  /** Finds what no notice told of. */
  #lookBack(): void {
    const fromMs = this.#runtime.clock.nowMs() - LOOK_BACK_MS;
    for (const seat of [...this.#seats.values()].flatMap((seats) => [...seats])) {
      const start = { createdAtMs: Math.max(fromMs, seat.sinceMs), id: FIRST_ID };
      this.#enqueue(seat, () => this.#resume(seat, start));
    }
  }

  async #resume(seat: Seat, after: EventPosition): Promise<void> {
    const { ctx } = seat.viewer;
    let position = after;
    for (let read = 0; read < RESUME_ROWS_MAX && !seat.gone;) {
      const from = position;
      const rows = await withTenant(ctx, (tx) => readRowsAfter(tx, ctx.tenantId, from, PAGE_ROWS));
      this.#send(seat, rows);
      read += rows.length;
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE_ROWS) return;
      position = { createdAtMs: last.createdAt.getTime(), id: last.id };
    }
  }

  #enqueue(seat: Seat, read: () => Promise<void>): void {
    seat.work = this.#inTurn(seat, read);
  }

  async #inTurn(seat: Seat, read: () => Promise<void>): Promise<void> {
    await seat.work;
    if (seat.gone) return;
    try {
      await read();
    } catch (error) {
      this.#runtime.log.warn({ err: error }, "live view not read");
      this.#dismiss(seat);
    }
  }

  #send(seat: Seat, rows: readonly LiveEventRow[]): void {
    const { viewer, sent } = seat;
    for (const row of rows) {
      if (seat.gone || sent.has(row.id)) continue;
      remember(sent, row.id);
      if (viewer.pattern !== undefined && !matchesPattern(viewer.pattern, row.type)) continue;
      if (!viewer.send(row)) this.#dismiss(seat);
    }
  }
}

const FIRST_ID = "00000000-0000-0000-0000-000000000000";

function remember(sent: Set<string>, id: string): void {
  sent.add(id);
  if (sent.size <= REMEMBERED_MAX) return;
  for (const oldest of sent) {
    sent.delete(oldest);
    break;
  }
}
