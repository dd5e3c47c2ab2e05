import { isUuid } from "../../platform/uuid.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { invalidInput } from "../errors.ts";
import { type Page, PAGE_LIMIT_DEFAULT, type PageInput } from "../pagination.ts";
import { readTimes } from "../read-times.ts";
import { type EventListRow, type EventPosition, listEventRows } from "./event-list-store.ts";
import { readEventPattern } from "./event-type.ts";
import { presentEvent } from "./present-event.ts";
import type { Event } from "./schema.ts";

/** Filters of a list of events; `from` (included) and `to` (not included) as in RFC 3339, on the time of acceptance. */
export interface ListEventsInput extends PageInput {
  type?: string | undefined;
  source?: "API" | "HUB" | undefined;
  orderingKey?: string | undefined;
  /** The publisher's own id. */
  externalId?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
}

/** Version of this cursor's form; ids tell no time, so that it names both. Postgres reads no ISO time beyond 9999. */
const CURSOR = /^2:(\d{1,14}):(.+)$/;

/**
 * A page of the tenant's events, newest first by acceptance. An event is listed once it was fanned out, milliseconds
 * after its acceptance while the workers keep up.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a cursor, type or time that is none
 */
export async function listEvents(ctx: Context, input: ListEventsInput): Promise<Page<Event>> {
  requireScope(ctx, "events:read");
  const limit = input.limit ?? PAGE_LIMIT_DEFAULT;
  const before = readPosition(input.cursor);
  const pattern = input.type === undefined ? undefined : readEventPattern(input.type);
  if (input.type !== undefined && pattern === undefined)
    throw invalidInput([{ path: "type", message: "must be an event type, or its beginning before *" }]);
  const { source, orderingKey, externalId } = input;
  const id = externalId === undefined ? undefined : Bun.randomUUIDv5(externalId, ctx.tenantId);
  const filter = { pattern, source, orderingKey, id, ...readTimes(input) };
  const rows = await withTenant(ctx, (tx) =>
    listEventRows(tx, ctx.tenantId, { limit: limit + 1, before }, filter),
  );
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return { data: shown.map(presentEvent), nextCursor: last === undefined ? null : writePosition(last) };
}

function writePosition({ createdAt, id }: EventListRow): string {
  return Buffer.from(`2:${createdAt.getTime()}:${id}`).toString("base64url");
}

function readPosition(cursor: string | undefined): EventPosition | undefined {
  if (cursor === undefined || cursor === "") return undefined;
  const match = CURSOR.exec(Buffer.from(cursor, "base64url").toString("latin1"));
  const [, ms = "", id = ""] = match ?? [];
  if (!isUuid(id)) throw invalidInput([{ path: "cursor", message: "is not a cursor of this list" }]);
  return { createdAtMs: Number(ms), id };
}
