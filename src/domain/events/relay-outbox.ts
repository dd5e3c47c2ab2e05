import type { Lease } from "../../platform/lease.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { EventPublisher, PublishItem } from "./event-publisher.ts";
import { deleteOutbox, type OutboxRow, readOutbox } from "./outbox-store.ts";

const BATCH_ROWS = 500;

/**
 * Moves the events of the outbox into their streams, oldest first: published, then deleted, so that each arrives at
 * least once and under one id. A tenant that has no room waits; the others go on.
 *
 * @param lease two relays at once would mix the order of a key
 * @returns how many events were moved
 * @throws when Postgres is away
 */
export async function relayOutbox(
  runtime: Runtime,
  publisher: EventPublisher,
  lease: Lease,
): Promise<number> {
  const skipped: string[] = [];
  let moved = 0;
  while (lease.isHeld()) {
    const rows = await readOutbox(runtime.sqlSystem, BATCH_ROWS, skipped);
    const byTenant = [...Map.groupBy(rows, ({ tenantId }) => tenantId)];
    const outcomes = await Promise.allSettled(
      byTenant.map(([tenantId, own]) => publisher.publish(tenantId, own.map(itemOf))),
    );
    const done: string[] = [];
    byTenant.forEach(([tenantId, own], index) => {
      const outcome = outcomes[index]!;
      if (outcome.status === "fulfilled") done.push(...own.map(({ id }) => id));
      else {
        skipped.push(tenantId);
        runtime.log.warn({ err: outcome.reason, tenantId }, "hub events wait in the outbox");
      }
    });
    if (done.length > 0) await deleteOutbox(runtime.sqlSystem, done);
    moved += done.length;
    if (rows.length < BATCH_ROWS) break;
  }
  return moved;
}

function itemOf(row: OutboxRow): PublishItem {
  const data = JSON.stringify(row.payload);
  return {
    event: {
      id: row.id,
      externalId: row.externalId ?? undefined,
      type: row.eventType,
      occurredAt: row.occurredAt.getTime(),
      orderingKey: row.orderingKey ?? undefined,
      schemaVersion: row.schemaVersion ?? undefined,
      data,
      dataSize: Buffer.byteLength(data),
    },
    source: row.source,
    correlationId: row.correlationId ?? undefined,
    traceparent: row.traceparent ?? undefined,
    acceptedAt: row.createdAt.getTime(),
  };
}
