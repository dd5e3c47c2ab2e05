import { isUuid } from "../platform/uuid.ts";
import { invalidInput } from "./errors.ts";

/** Rows of a page when the caller names no number, and at most. */
export const PAGE_LIMIT_DEFAULT = 50;
export const PAGE_LIMIT_MAX = 200;

/** `?limit=&cursor=` of a list. */
export interface PageInput {
  limit?: number | undefined;
  cursor?: string | undefined;
}

/** A list's answer: `nextCursor` is null on the last page. */
export interface Page<T> {
  data: T[];
  nextCursor: string | null;
}

/** Version of the cursor's form, so that a later form can be told from this one. */
const CURSOR_PREFIX = "1:";

/**
 * Reads limit and cursor. The cursor is the id of the last row that was seen; ids are UUIDv7, so their order is the
 * order in time, and a page stays where it is while rows are added in front. It selects within the tenant's rows only,
 * so a forged one shows nothing that its sender may not list.
 *
 * @returns `beforeId` undefined on the first page
 * @throws HubError `invalid_input` for a cursor that is none of ours
 */
export function readCursor(input: PageInput): { limit: number; beforeId: string | undefined } {
  const limit = Math.min(Math.max(input.limit ?? PAGE_LIMIT_DEFAULT, 1), PAGE_LIMIT_MAX);
  if (input.cursor === undefined || input.cursor === "") return { limit, beforeId: undefined };
  const text = Buffer.from(input.cursor, "base64url").toString("latin1");
  const beforeId = text.slice(CURSOR_PREFIX.length);
  if (!text.startsWith(CURSOR_PREFIX) || !isUuid(beforeId)) {
    throw invalidInput([{ path: "cursor", message: "is not a cursor of this list" }]);
  }
  return { limit, beforeId };
}

/**
 * Makes a page of rows that were read with `limit + 1`: the extra row only tells that there is a next page.
 *
 * @param present turns a row into its API form
 */
export function pageOf<Row extends { id: string }, T>(
  rows: readonly Row[],
  limit: number,
  present: (row: Row) => T,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return {
    data: shown.map(present),
    nextCursor: last === undefined ? null : Buffer.from(CURSOR_PREFIX + last.id).toString("base64url"),
  };
}
