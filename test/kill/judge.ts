import type { Sighting } from "../faults/target-service.ts";
import type { Acknowledgement } from "../faults/webhook-sender.ts";

/** The two lists that outsiders keep, and what the hub's own book says. */
export interface Evidence {
  /** 200s, by the sender. */
  acknowledged: readonly Acknowledgement[];
  /** Everything that arrived, by the target. */
  sightings: readonly Sighting[];
  /** Status of each receipt in Postgres. */
  statuses: ReadonlyMap<string, string>;
  /** Repetitions to the target that the plan allows: what the victim held unacknowledged. */
  repetitionsMax: number;
}

/** Ids that one complaint lists. */
const IDS_SHOWN = 5;

/** What contradicts the promises of an acknowledged webhook; empty when they were kept. */
export function judge(evidence: Evidence): string[] {
  const { acknowledged, sightings, statuses, repetitionsMax } = evidence;
  const seen = new Set(sightings.map(({ receiptId }) => receiptId));
  const receipts = [...new Set(acknowledged.map(({ receiptId }) => receiptId))];
  const repetitions = sightings.length - seen.size;
  return [
    ...complaint(
      "acknowledged, never sent to the target",
      receipts.filter((id) => !seen.has(id)),
    ),
    ...complaint(
      "acknowledged, not PROCESSED",
      receipts.filter((id) => statuses.get(id) !== "PROCESSED").map((id) => `${id} ${statuses.get(id)}`),
    ),
    ...complaint("200s of one event under two receipts", eventsUnderTwoIds(acknowledged)),
    ...complaint("one event sent to the target under two receipts", eventsUnderTwoIds(sightings)),
    ...(repetitions > repetitionsMax
      ? [`${repetitions} repetitions to the target, ${repetitionsMax} allowed`]
      : []),
  ];
}

function complaint(about: string, ids: readonly string[]): string[] {
  return ids.length === 0 ? [] : [`${ids.length} ${about}: ${ids.slice(0, IDS_SHOWN).join(", ")}`];
}

function eventsUnderTwoIds(pairs: readonly { eventId: string; receiptId: string }[]): string[] {
  const receiptOf = new Map<string, string>();
  const doubled = new Set<string>();
  for (const { eventId, receiptId } of pairs) {
    const first = receiptOf.get(eventId);
    if (first === undefined) receiptOf.set(eventId, receiptId);
    else if (first !== receiptId) doubled.add(eventId);
  }
  return [...doubled];
}
