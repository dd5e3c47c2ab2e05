import { invalidInput } from "../errors.ts";
import { readEventPattern } from "../events/event-type.ts";
import { readTimes } from "../read-times.ts";
import type { ReplayFilter } from "./replay-schema.ts";
import type { ReplayRange } from "./replay-store.ts";

/** @throws HubError 422 `invalid_input` for a type or a time that is none */
export function readReplayRange(filter: ReplayFilter): ReplayRange {
  return {
    status: filter.status ?? "FAILED",
    typePattern: readTypeFilter(filter.eventType, "/filter/eventType"),
    ...readTimes(filter, "/filter/"),
  };
}

/**
 * An event type that attempts are narrowed to, or its beginning before `*`.
 *
 * @param path where it stands in the request
 * @returns the pattern as it is stored: dotted, in lower case
 * @throws HubError 422 `invalid_input`
 */
export function readTypeFilter(given: string | undefined, path: string): string | undefined {
  if (given === undefined) return undefined;
  const pattern = readEventPattern(given);
  if (pattern === undefined)
    throw invalidInput([{ path, message: "must be an event type, or its beginning before *" }]);
  return pattern;
}
