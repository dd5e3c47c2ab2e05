import { type AttemptRow, insertAttempts } from "../../../src/domain/deliveries/attempt-writer.ts";
import { deliveryIdOf } from "../../../src/domain/deliveries/delivery-id.ts";
import {
  type OpenDelivery,
  writeOpenDeliveries,
} from "../../../src/domain/deliveries/open-delivery-store.ts";
import { newId } from "../../../src/platform/uuid.ts";
import type { DeliveryFixture } from "../../deliveries/delivery-fixture.ts";

const PAGE_SIZE = 5_000;

/** Which deliveries are made: of one subscription, each of an event of its own. */
export interface StoredDeliveries {
  subscriptionId: string;
  eventType: string;
  count: number;
}

/** Stores events of which each has one failed attempt: deliveries that were given up. */
export async function storeFailed(fixture: DeliveryFixture, what: StoredDeliveries): Promise<void> {
  const { tenantId } = fixture.ctx;
  const { subscriptionId, eventType } = what;
  await inPages(fixture, what, async (eventIds, createdAtMs) => {
    const rows = eventIds.map((eventId): AttemptRow => ({
      id: newId(),
      deliveryId: deliveryIdOf({ eventId, subscriptionId }),
      tenantId,
      subscriptionId,
      eventId,
      eventType,
      eventCreatedAtMs: createdAtMs,
      payload: null,
      attemptNumber: 6,
      next: { status: "FAILED" },
      trigger: "EVENT",
      replayId: null,
      correlationId: null,
      traceparent: null,
      url: "http://127.0.0.1/",
      requestHeaders: "{}",
      requestBody: null,
      responseStatus: 500,
      responseHeaders: "{}",
      responseBody: null,
      responseTimeMs: 5,
      errorCode: "response_status",
      errorMessage: "The receiver answered 500",
    }));
    await fixture.runtime.sqlSystem.begin((tx) => insertAttempts(tx, rows));
  });
}

/** Stores events with a retry each that has been due for ten minutes, of which Redis knows nothing. */
export async function storeOverdue(fixture: DeliveryFixture, what: StoredDeliveries): Promise<void> {
  const { sqlSystem } = fixture.runtime;
  const { tenantId } = fixture.ctx;
  const { subscriptionId, eventType } = what;
  await inPages(fixture, what, async (eventIds, createdAtMs) => {
    const rows = eventIds.map((eventId): OpenDelivery => ({
      id: deliveryIdOf({ eventId, subscriptionId }),
      tenantId,
      subscriptionId,
      eventId,
      eventCreatedAtMs: createdAtMs,
      eventType,
      orderingKey: null,
      replayId: null,
      attemptCount: 1,
      status: "RETRYING",
      nextRetryAtMs: createdAtMs - 600_000,
      errorCode: null,
      errorMessage: null,
    }));
    await writeOpenDeliveries(sqlSystem, rows);
  });
}

async function inPages(
  { runtime, ctx }: DeliveryFixture,
  { eventType, count }: StoredDeliveries,
  store: (eventIds: readonly string[], createdAtMs: number) => Promise<void>,
): Promise<void> {
  const createdAtMs = Date.now();
  const createdAt = new Date(createdAtMs);
  for (let start = 0; start < count; start += PAGE_SIZE) {
    const ids = Array.from({ length: Math.min(PAGE_SIZE, count - start) }, () => newId());
    await runtime.sqlSystem`
      insert into events (id, tenant_id, type, source, payload, payload_size, occurred_at, created_at, matched)
      select given.id, ${ctx.tenantId}, ${eventType}, 'API', '{"n":1}'::bytea, 7, ${createdAt}, ${createdAt}, 1
      from unnest(${ids}::text[]::uuid[]) as given(id)`;
    await store(ids, createdAtMs);
  }
}
