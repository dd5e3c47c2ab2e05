import { withExactNumbers } from "../../platform/json/exact-numbers.ts";
import { type Context, requireScope, type Transaction, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { getEventRow, listAttemptedDeliveries, listOpenDeliveries } from "./event-list-store.ts";
import { presentDeliveries, presentEvent } from "./present-event.ts";
import type { EventDetail } from "./schema.ts";

const DELIVERIES_MAX = 200;

/**
 * One event with its data and its deliveries.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`, also while the event has not been fanned out yet
 */
export async function getEvent(ctx: Context, input: { id: string }): Promise<EventDetail> {
  requireScope(ctx, "events:read");
  const read = async (tx: Transaction): Promise<EventDetail> => {
    const row = await getEventRow(tx, ctx.tenantId, input.id);
    if (row === undefined) throw notFound();
    const attempted = await listAttemptedDeliveries(tx, ctx.tenantId, input.id, DELIVERIES_MAX);
    const ids = attempted.flatMap(({ deliveryId }) => deliveryId ?? []);
    const open = await listOpenDeliveries(tx, ctx.tenantId, input.id, { ids, limit: DELIVERIES_MAX });
    return {
      ...presentEvent(row),
      data: withExactNumbers(row.data, JSON.parse(row.data)),
      deliveries: presentDeliveries(attempted, open).slice(0, DELIVERIES_MAX),
    };
  };
  // An attempt that ends between two readings would make a delivery look cancelled.
  return withTenant(ctx, read, "repeatable read");
}
