import { readTimes } from "../read-times.ts";
import type { ReplayFilter } from "./replay-schema.ts";
import type { ReplayRange } from "./replay-store.ts";

/** @throws HubError 422 `invalid_input` for a time that is none */
export function readReplayRange(filter: ReplayFilter): ReplayRange {
  return {
    status: filter.status ?? "FAILED",
    eventType: filter.eventType,
    ...readTimes(filter, "/filter/"),
  };
}
