import { type Context, requireScope, type Transaction, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import type { DeliveryDetail, DeliveryStatus } from "./delivery-schema.ts";
import {
  type AttemptDetailRow,
  getEventPayload,
  getOpenDelivery,
  hasTemplate,
  listDeliveryAttempts,
  type OpenDeliveryRow,
} from "./delivery-store.ts";
import { standardPayload } from "./delivery-payload.ts";
import { presentAttemptDetail } from "./present-delivery.ts";

/**
 * One delivery of a subscription: where it stands, what it sends and its attempts.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function getDelivery(
  ctx: Context,
  input: { subscriptionId: string; deliveryId: string },
): Promise<DeliveryDetail> {
  requireScope(ctx, "webhooks:read");
  const { tenantId } = ctx;
  const { subscriptionId, deliveryId } = input;
  const read = async (tx: Transaction): Promise<DeliveryDetail> => {
    const attempts = await listDeliveryAttempts(tx, tenantId, subscriptionId, deliveryId);
    const open = await getOpenDelivery(tx, tenantId, subscriptionId, deliveryId);
    const last = attempts.at(-1);
    const known = last ?? open;
    if (known === undefined) throw notFound();
    const replayId = known.replayId;
    return {
      id: deliveryId,
      subscriptionId,
      eventId: known.eventId,
      eventType: known.eventType,
      trigger: last?.trigger ?? (replayId === null ? "EVENT" : "REPLAY"),
      replayId,
      status: open?.status ?? endOf(last!),
      nextRetryAt: open?.nextRetryAt?.toISOString() ?? null,
      requestBody: await sentBody(tx, { tenantId, subscriptionId }, attempts, known),
      attempts: attempts.map(presentAttemptDetail),
    };
  };
  // An attempt that ends between two readings would make a delivery look cancelled.
  return withTenant(ctx, read, "repeatable read");
}

/** A delivery that failed last and is not open was cancelled before its next try. */
function endOf({ status }: AttemptDetailRow): DeliveryStatus {
  return status === "RETRYING" ? "CANCELLED" : status;
}

/** The body as its receiver got it, or will get it; null when a template made it and it was not kept, or will make it. */
async function sentBody(
  tx: Transaction,
  { tenantId, subscriptionId }: { tenantId: string; subscriptionId: string },
  attempts: readonly AttemptDetailRow[],
  known: AttemptDetailRow | OpenDeliveryRow,
): Promise<string | null> {
  const made = attempts.findLast(({ requestBody }) => requestBody !== null)?.requestBody;
  if (made !== undefined && made !== null) return Buffer.from(made).toString();
  if (await hasTemplate(tx, tenantId, subscriptionId)) return null;
  const payloadOfTest = attempts.at(-1)?.payload;
  if (payloadOfTest !== undefined && payloadOfTest !== null) return Buffer.from(payloadOfTest).toString();
  if (known.eventCreatedAt === null) return null;
  const event = await getEventPayload(tx, tenantId, known.eventId, known.eventCreatedAt);
  if (event === undefined) return null;
  const payload = standardPayload({
    id: known.eventId,
    tenantId,
    type: event.type,
    occurredAtMs: event.occurredAt.getTime(),
    createdAtMs: known.eventCreatedAt.getTime(),
    orderingKey: undefined,
    correlationId: undefined,
    traceparent: undefined,
    data: event.data,
  });
  return Buffer.from(payload).toString();
}
