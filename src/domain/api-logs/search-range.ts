import { invalidInput } from "../errors.ts";
import { readTimes } from "../read-times.ts";

/** Longest range of one search: each day is a partition that has to be looked at. */
const DAYS_MAX = 31;

const DAY_MS = 86_400_000;

/** Span of time in milliseconds since the epoch: `fromMs` included, `toMs` not. */
export interface TimeRange {
  fromMs: number;
  toMs: number;
}

/**
 * The time that a search covers: as given; the 24 hours before `to`, or up to now, where a bound is left out.
 *
 * @throws HubError `invalid_input` for what is no time, for a range that ends before it begins or is too long
 */
export function searchRange(from: string | undefined, to: string | undefined, nowMs: number): TimeRange {
  const given = readTimes({ from, to });
  // A row of this very millisecond is still found.
  const toMs = given.toMs ?? nowMs + 1;
  const fromMs = given.fromMs ?? Math.max(0, toMs - DAY_MS);
  if (fromMs >= toMs) throw invalidInput([{ path: "from", message: "must be before to" }]);
  if (toMs - fromMs > DAYS_MAX * DAY_MS + 1) {
    throw invalidInput([{ path: "from", message: `must be at most ${DAYS_MAX} days before to` }]);
  }
  return { fromMs, toMs };
}
