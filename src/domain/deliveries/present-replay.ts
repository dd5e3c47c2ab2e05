import type { Replay } from "./replay-schema.ts";
import type { ReplayRow } from "./replay-store.ts";

/** A replay job as the API shows it. */
export function presentReplay(row: ReplayRow): Replay {
  return {
    id: row.id,
    subscriptionId: row.subscriptionId,
    deliveryId: row.deliveryId,
    filter: row.filter,
    ratePerSecond: row.ratePerSecond,
    status: row.status,
    matched: row.matched,
    replayed: row.replayed,
    delivered: row.delivered,
    failed: row.failed,
    errorMessage: row.errorMessage,
    startedAt: row.startedAt?.toISOString() ?? null,
    completedAt: row.completedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}
