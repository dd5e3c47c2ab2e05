import type { EventDeliveryRow, EventListRow } from "./event-list-store.ts";
import type { Event, EventDelivery } from "./schema.ts";

/** A row as lists show it. */
export function presentEvent(row: EventListRow): Event {
  const { id, type, source, externalId, orderingKey, schemaVersion, dataSize, correlationId } = row;
  return {
    id,
    type,
    source,
    externalId,
    orderingKey,
    schemaVersion,
    dataSize,
    correlationId,
    occurredAt: row.occurredAt.toISOString(),
    createdAt: row.createdAt.toISOString(),
  };
}

/**
 * Deliveries of an event, each once: where one waits, that is its state, with what its newest attempt told. One that
 * failed last and does not wait was cancelled before its next try.
 *
 * @param attempted newest attempt of each delivery
 * @param open deliveries that have not ended, with all of those that were attempted
 */
export function presentDeliveries(
  attempted: readonly EventDeliveryRow[],
  open: readonly EventDeliveryRow[],
): EventDelivery[] {
  const byId = new Map(attempted.map((row) => [row.deliveryId, row]));
  const waiting = open.map((row) => ({
    ...row,
    responseStatus: byId.get(row.deliveryId)?.responseStatus ?? null,
    lastAttemptAt: byId.get(row.deliveryId)?.lastAttemptAt ?? null,
  }));
  const openIds = new Set(open.map(({ deliveryId }) => deliveryId));
  const ended = attempted
    .filter(({ deliveryId }) => !openIds.has(deliveryId))
    .map((row) => (row.status === "RETRYING" ? { ...row, status: "CANCELLED", nextRetryAt: null } : row));
  return [...waiting, ...ended].map((row) => ({
    ...row,
    nextRetryAt: row.nextRetryAt?.toISOString() ?? null,
    lastAttemptAt: row.lastAttemptAt?.toISOString() ?? null,
  }));
}
