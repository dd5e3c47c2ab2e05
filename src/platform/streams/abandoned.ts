/** One line of XPENDING's long form. */
export interface PendingEntry {
  id: string;
  deliveries: number;
}

/** What is done with an abandoned entry, by how often it was given out. */
export interface AbandonedEntries {
  /** Given out once: claimed in bulk. */
  bulk: PendingEntry[];
  /** Given out twice: one of them may be what kills the process; claimed and processed one at a time. */
  suspects: PendingEntry[];
  /** Given out three times, and each time its process died. */
  crashed: PendingEntry[];
}

/** Deliveries after which an entry is given up: it took its process down each time. */
export const DELIVERIES_MAX = 3;

/** Sorts abandoned entries by their number of deliveries. Pure. */
export function sortAbandoned(entries: readonly PendingEntry[]): AbandonedEntries {
  const sorted: AbandonedEntries = { bulk: [], suspects: [], crashed: [] };
  for (const entry of entries) {
    if (entry.deliveries >= DELIVERIES_MAX) sorted.crashed.push(entry);
    else if (entry.deliveries === DELIVERIES_MAX - 1) sorted.suspects.push(entry);
    else sorted.bulk.push(entry);
  }
  return sorted;
}
