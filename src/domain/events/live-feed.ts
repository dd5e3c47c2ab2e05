import { STORED_EVENTS_CHANNEL } from "../../platform/redis/keys.ts";
import { subscribe } from "../../platform/redis/subscribe.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError } from "../errors.ts";
import {
  type EventPosition,
  type LiveEventRow,
  type LivePage,
  readLiveRows,
  readRowsAfter,
} from "./event-list-store.ts";
import { matchesPattern } from "./event-type.ts";
import type { StoredNotice } from "./announce-stored.ts";

/** One viewer's connection. */
export interface LiveViewer {
  ctx: Context;
  /** Stored patterns; undefined: every type. */
  pattern: string | undefined;
  /** Where the viewer was; undefined: from now on. */
  after: EventPosition | undefined;
  /** Takes an event. @returns false when there is no room for it */
  send(row: LiveEventRow): boolean;
  /** Resolves when there is room for a page, or with false when the viewer reads too slowly to go on. */
  waitForRoom(): Promise<boolean>;
  /** It is let go, and comes back from where it was. */
  close(): void;
}

/** Viewers of one process; each may keep a MiB waiting. */
const VIEWERS_MAX = 200;
const VIEWERS_PER_TENANT_MAX = 20;

/** How far is looked back after the connection to Redis was away, and ids that are remembered so that none comes twice. */
const LOOK_BACK_MS = 60_000;
const REMEMBERED_MAX = 10_000;

/** What one viewer is sent at a time: with the page before it, it fits into what a connection may keep waiting. */
const PAGE: LivePage = { rowsMax: 200, bytesMax: 256 * 1024 };
/** A viewer that has this many events to come back for, or waiting, is let go, so that each has its turn. */
const RESUME_ROWS_MAX = 10_000;
const WAITING_MAX = 10_000;
/** Notices whose page is kept, so that viewers who follow at one pace share a read. */
const SHARED_PAGES_MAX = 8;
/** A silent Redis is told to the viewer by then. */
const LISTEN_TIMEOUT_MS = 3_000;

/** What one viewer has seen. */
interface Seat {
  viewer: LiveViewer;
  sent: Set<string>;
  /** Its turn to read; one at a time, so that events keep their order. */
  work: Promise<void>;
  /** Events that were told of and not yet sent. */
  waiting: number;
  /** Events that were accepted before are not for it. */
  sinceMs: number;
  gone: boolean;
}

type Page = Awaited<ReturnType<typeof readLiveRows>>;

/** Events of one tenant that were stored together, and the page of them that was read last. */
interface Notice {
  refs: readonly EventPosition[];
  page: { start: number; read: Promise<Page> } | undefined;
}

/**
 * Live views of this process. The fan-out tells which events it has stored; they are read from Postgres for the tenants
 * that somebody looks at. After a lost connection to Redis the last minute is looked through.
 */
export class LiveFeed {
  readonly #runtime: Runtime;
  readonly #seats = new Map<string, Set<Seat>>();
  readonly #sharing: Notice[] = [];
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
    const listening = this.#listen();
    const nowMs = this.#runtime.clock.nowMs();
    const seat: Seat = {
      viewer,
      sent: new Set(),
      work: Promise.resolve(),
      waiting: 0,
      sinceMs: nowMs,
      gone: false,
    };
    this.#seats.set(ctx.tenantId, seats.add(seat));
    this.#count++;
    if (viewer.after !== undefined) {
      seat.sinceMs = Math.min(seat.sinceMs, viewer.after.createdAtMs);
      seat.sent.add(viewer.after.id);
      // What is stored before anybody listens must be found by the read that follows.
      this.#enqueue(seat, () => listening.then(() => this.#resume(seat, viewer.after!)));
    }
    try {
      await Promise.race([listening, Bun.sleep(LISTEN_TIMEOUT_MS).then(refuseSilence)]);
    } catch (error) {
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

  /** Listens once for all viewers; where that failed, the next one tries again. */
  #listen(): Promise<void> {
    this.#listening ??= subscribe(this.#runtime, STORED_EVENTS_CHANNEL, {
      onMessage: (message) => this.#onNotice(JSON.parse(message) as StoredNotice),
      onGap: () => this.#lookBack(),
    }).catch((error: unknown) => {
      this.#listening = undefined;
      throw error;
    });
    return this.#listening;
  }

  #onNotice(stored: StoredNotice): void {
    for (const [tenantId, told] of Object.entries(stored)) {
      const refs = told.map(([id, createdAtMs]) => ({ id, createdAtMs })).toSorted(byAcceptance);
      const notice: Notice = { refs, page: undefined };
      for (const seat of this.#seats.get(tenantId) ?? []) {
        seat.waiting += refs.length;
        if (seat.waiting > WAITING_MAX) this.#dismiss(seat);
        else this.#enqueue(seat, () => this.#tell(seat, notice));
      }
    }
  }

  /** Sends what a notice tells of, a page at a time. */
  async #tell(seat: Seat, notice: Notice): Promise<void> {
    const { refs } = notice;
    for (let start = 0; start < refs.length && (await this.#mayRead(seat));) {
      const { rows, isWhole } = await this.#readShared(seat.viewer.ctx, notice, start);
      this.#send(seat, rows);
      const last = rows.at(-1);
      if (last === undefined || isWhole) break;
      // One id may have been accepted twice.
      const lastMs = last.createdAt.getTime();
      start = refs.findIndex(({ id, createdAtMs }) => id === last.id && createdAtMs === lastMs) + 1;
    }
    seat.waiting -= refs.length;
  }

  /** Read once by whichever viewer's turn comes first; a viewer that is behind the others reads for itself. */
  #readShared(ctx: Context, notice: Notice, start: number): Promise<Page> {
    if (notice.page?.start === start) return notice.page.read;
    const rest = notice.refs.slice(start);
    const read = withTenant(ctx, (tx) => readLiveRows(tx, ctx.tenantId, rest, PAGE));
    if (notice.page === undefined || notice.page.start < start) {
      if (notice.page === undefined) this.#sharing.push(notice);
      notice.page = { start, read };
      if (this.#sharing.length > SHARED_PAGES_MAX) this.#sharing.shift()!.page = undefined;
    }
    return read;
  }

  /** Nothing is read for a viewer that has no room for it. */
  async #mayRead(seat: Seat): Promise<boolean> {
    if (seat.gone) return false;
    if (await seat.viewer.waitForRoom()) return !seat.gone;
    this.#dismiss(seat);
    return false;
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
    for (let read = 0; await this.#mayRead(seat);) {
      const from = position;
      const { rows, isWhole } = await withTenant(ctx, (tx) => readRowsAfter(tx, ctx.tenantId, from, PAGE));
      this.#send(seat, rows);
      const last = rows.at(-1);
      if (last === undefined || isWhole) return;
      position = { createdAtMs: last.createdAt.getTime(), id: last.id };
      read += rows.length;
      if (read >= RESUME_ROWS_MAX) this.#dismiss(seat);
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

function refuseSilence(): never {
  throw new Error(`Redis has not confirmed the subscription within ${LISTEN_TIMEOUT_MS} ms`);
}

function byAcceptance(a: EventPosition, b: EventPosition): number {
  return a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1);
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
