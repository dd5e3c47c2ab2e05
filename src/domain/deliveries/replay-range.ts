import { type FieldError, invalidInput } from "../errors.ts";
import type { ReplayFilter } from "./replay-schema.ts";
import type { ReplayRange } from "./replay-store.ts";

/** The year 10000, from which a time has no plain text form. */
const MS_MAX = Date.UTC(10_000, 0);

/**
 * Reads times of a filter.
 *
 * @param at where the filter stands, before the names
 * @throws HubError 422 `invalid_input` naming each that is no time
 */
export function readTimeRange(
  input: { from?: string | undefined; to?: string | undefined },
  at = "",
): { fromMs: number | undefined; toMs: number | undefined } {
  const errors: FieldError[] = [];
  const read = (name: "from" | "to"): number | undefined => {
    const text = input[name];
    if (text === undefined) return undefined;
    const ms = Date.parse(text);
    if (Number.isFinite(ms) && ms >= 0 && ms < MS_MAX) return ms;
    errors.push({ path: `${at}${name}`, message: "must be a time as in RFC 3339" });
    return undefined;
  };
  const times = { fromMs: read("from"), toMs: read("to") };
  if (errors.length > 0) throw invalidInput(errors);
  return times;
}

/** @throws HubError 422 `invalid_input` for a time that is none */
export function readReplayRange(filter: ReplayFilter): ReplayRange {
  return {
    status: filter.status ?? "FAILED",
    eventType: filter.eventType,
    ...readTimeRange(filter, "/filter/"),
  };
}
