import { type Context, requireScope, withTenant } from "../domain/context.ts";
import { invalidInput } from "../domain/errors.ts";
import { type EventPosition, getEventRow, type LiveEventRow } from "../domain/events/event-list-store.ts";
import { readEventPattern } from "../domain/events/event-type.ts";
import type { LiveFeed } from "../domain/events/live-feed.ts";
import { presentEvent } from "../domain/events/present-event.ts";
import { isUuid } from "../platform/uuid.ts";

/** Bytes that wait for one reader; more, and it is let go. */
const BUFFER_BYTES_MAX = 1024 * 1024;

/** A page of events fits when this much is free. */
const ROOM_BYTES = BUFFER_BYTES_MAX / 2;

/** A reader that takes longer to read half of what waits for it holds up nobody; it comes back when it can. */
const ROOM_TIMEOUT_MS = 10_000;

/** Shorter than the server's idle timeout and than those of usual proxies. */
const BEAT_EVERY_MS = 15_000;

/** A stream ends so that a revoked key stops reading; the client comes back with its Last-Event-ID. */
const LIFETIME_MS = 15 * 60_000;

/** Milliseconds after which a client comes back. */
const RETRY_MS = 1_000;

const HEADERS = { "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" };

/** Id of a message: time of acceptance and event id, which together name the place in the stream. */
const MESSAGE_ID = /^(\d{1,15})-(.+)$/;

/**
 * Opens a stream of server-sent events (WHATWG HTML, section 9.2) of the tenant's events.
 *
 * @param input.lastEventId id of the last message that was read, or an event's id
 * @param input.headersOnly true for a HEAD, which would else wait for the end of a stream that nobody reads
 * @throws HubError 403 `forbidden`; 422 `invalid_input`; 503 `unavailable` when there are too many viewers
 */
export async function openEventStream(
  ctx: Context,
  input: { liveFeed: LiveFeed; type: string | undefined; lastEventId: string | null; headersOnly: boolean },
): Promise<Response> {
  requireScope(ctx, "events:read");
  const pattern = input.type === undefined ? undefined : readEventPattern(input.type);
  if (input.type !== undefined && pattern === undefined)
    throw invalidInput([{ path: "type", message: "must be an event type, or its beginning before *" }]);
  const after = await findPosition(ctx, input.lastEventId);
  if (input.headersOnly) return new Response(null, { headers: HEADERS });
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array>;
  let leave = (): void => undefined;
  const write = (text: string): boolean => {
    if ((controller.desiredSize ?? 0) <= 0) return false;
    controller.enqueue(encoder.encode(text));
    return true;
  };
  const timers: ReturnType<typeof setTimeout>[] = [];
  let isOver = false;
  const room = new ReaderRoom(() => controller.desiredSize ?? 0);
  const end = (): void => {
    isOver = true;
    room.end();
    for (const timer of timers) clearTimeout(timer);
    leave();
  };
  const close = (): void => {
    // Closing what the reader's own leaving has closed would throw.
    if (isOver) return;
    end();
    controller.close();
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      start(started) {
        controller = started;
      },
      pull: () => room.onRead(),
      cancel: end,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: BUFFER_BYTES_MAX }),
  );
  write(`retry: ${RETRY_MS}\n: connected\n\n`);
  leave = await input.liveFeed.join({
    ctx,
    pattern,
    after,
    send: (row) => write(messageOf(row)),
    waitForRoom: () => room.wait(),
    close,
  });
  // It may have been let go while it was still joining.
  if (!isOver) {
    timers.push(
      setInterval(() => write(": beat\n\n") || close(), BEAT_EVERY_MS),
      setTimeout(close, LIFETIME_MS),
    );
  }
  return new Response(stream, { headers: HEADERS });
}

/** Lets a sender wait until its reader has read enough for a page to fit. */
class ReaderRoom {
  readonly #freeBytes: () => number;
  #settle: ((hasRoom: boolean) => void) | undefined;

  constructor(freeBytes: () => number) {
    this.#freeBytes = freeBytes;
  }

  /** One wait at a time. @returns false when the reader took too long, or is gone */
  wait(): Promise<boolean> {
    if (this.#freeBytes() >= ROOM_BYTES) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.end(), ROOM_TIMEOUT_MS);
      this.#settle = (hasRoom) => {
        clearTimeout(timer);
        this.#settle = undefined;
        resolve(hasRoom);
      };
    });
  }

  onRead(): void {
    if (this.#freeBytes() >= ROOM_BYTES) this.#settle?.(true);
  }

  end(): void {
    this.#settle?.(false);
  }
}

function messageOf(row: LiveEventRow): string {
  // The data is JSON text already: parsing and writing it again would cost and could change it. It has no line breaks.
  const json = `${JSON.stringify(presentEvent(row)).slice(0, -1)},"data":${row.data}}`;
  return `id: ${row.createdAt.getTime()}-${row.id}\ndata: ${json}\n\n`;
}

async function findPosition(ctx: Context, lastEventId: string | null): Promise<EventPosition | undefined> {
  if (lastEventId === null || lastEventId === "") return undefined;
  if (isUuid(lastEventId)) {
    const row = await withTenant(ctx, (tx) => getEventRow(tx, ctx.tenantId, lastEventId));
    if (row !== undefined) return { createdAtMs: row.createdAt.getTime(), id: row.id };
  }
  const [, ms = "", id = ""] = MESSAGE_ID.exec(lastEventId) ?? [];
  if (!isUuid(id)) throw invalidInput([{ path: "Last-Event-ID", message: "is no id of this stream" }]);
  return { createdAtMs: Number(ms), id };
}
