import { type FieldError, invalidInput } from "../errors.ts";

/** Longest range of one search: each day is a partition that has to be looked at. */
const DAYS_MAX = 31;

const DAY_MS = 86_400_000;

/** The year 10000, from which a time has no plain text form. */
const MS_MAX = Date.UTC(10_000, 0);

/** Span of time in milliseconds since the epoch: `fromMs` included, `toMs` not. */
export interface TimeRange {
  fromMs: number;
  toMs: number;
}

/**
 * The time that a search covers: as given; the 24 hours before `to`, or up to now, where a bound is left out. `from`
 * alone reaches to now, but no further than the longest range.
 *
 * @throws HubError `invalid_input` for what is no time, for a range that ends before it begins or is too long
 */
export function searchRange(from: string | undefined, to: string | undefined, nowMs: number): TimeRange {
  const errors: FieldError[] = [];
  const read = (path: string, text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    const ms = Date.parse(text);
    if (Number.isFinite(ms) && ms >= 0 && ms < MS_MAX) return ms;
    errors.push({ path, message: "must be a time as in RFC 3339" });
    return undefined;
  };
  const given = { fromMs: read("from", from), toMs: read("to", to) };
  if (errors.length > 0) throw invalidInput(errors);
  // A row of this very millisecond is still found.
  const toMs = given.toMs ?? nowMs + 1;
  const fromMs = given.fromMs ?? toMs - DAY_MS;
  if (fromMs >= toMs) throw invalidInput([{ path: "from", message: "must be before to" }]);
  if (toMs - fromMs > DAYS_MAX * DAY_MS + 1) {
    throw invalidInput([{ path: "from", message: `must be at most ${DAYS_MAX} days before to` }]);
  }
  return { fromMs, toMs };
}
