import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { type Page, pageOf, type PageInput, readCursor } from "../pagination.ts";
import { readTimes } from "../read-times.ts";
import { hadSubscription } from "../subscriptions/store.ts";
import type { DeliveryAttempt } from "./delivery-schema.ts";
import { listAttemptRows } from "./delivery-store.ts";
import { presentAttempt } from "./present-delivery.ts";
import { readTypeFilter } from "./replay-range.ts";

/** Filters of a subscription's history; `eventType` may end with `*`; `from` (included) and `to` (not included) as in RFC 3339. */
export interface ListDeliveriesInput extends PageInput {
  subscriptionId: string;
  status?: string | undefined;
  eventType?: string | undefined;
  eventId?: string | undefined;
  deliveryId?: string | undefined;
  trigger?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
}

/**
 * A page of a subscription's attempts, newest first; also of one that was deleted.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 422 `invalid_input`
 */
export async function listDeliveries(
  ctx: Context,
  input: ListDeliveriesInput,
): Promise<Page<DeliveryAttempt>> {
  requireScope(ctx, "webhooks:read");
  const { tenantId } = ctx;
  const { limit, beforeId } = readCursor(input);
  const { subscriptionId, status, eventType, eventId, deliveryId, trigger } = input;
  const typePattern = readTypeFilter(eventType, "eventType");
  const filter = { status, typePattern, eventId, deliveryId, trigger, ...readTimes(input) };
  const rows = await withTenant(ctx, async (tx) => {
    if (!(await hadSubscription(tx, tenantId, subscriptionId))) throw notFound();
    return listAttemptRows(tx, { tenantId, subscriptionId }, { limit: limit + 1, beforeId }, filter);
  });
  return pageOf(rows, limit, presentAttempt);
}
