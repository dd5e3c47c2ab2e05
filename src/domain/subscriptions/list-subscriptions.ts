import { type Context, requireScope, withTenant } from "../context.ts";
import { invalidInput } from "../errors.ts";
import { readEventType } from "../events/event-type.ts";
import { type Page, pageOf, type PageInput, readCursor } from "../pagination.ts";
import { presentSubscription } from "./present-subscription.ts";
import type { Subscription, SubscriptionStatus } from "./schema.ts";
import { listSubscriptionRows } from "./store.ts";

/**
 * A page of the tenant's subscriptions, newest first.
 *
 * @param input.eventType those whose patterns take this type; their filters are not asked
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a cursor that is none of ours or a type that is none
 */
export async function listSubscriptions(
  ctx: Context,
  input: PageInput & { status?: SubscriptionStatus; eventType?: string },
): Promise<Page<Subscription>> {
  requireScope(ctx, "webhooks:read");
  const { limit, beforeId } = readCursor(input);
  const eventType = input.eventType === undefined ? undefined : readEventType(input.eventType);
  if (input.eventType !== undefined && eventType === undefined)
    throw invalidInput([{ path: "eventType", message: "must be an event type, as in order.created" }]);
  const rows = await withTenant(ctx, (tx) =>
    listSubscriptionRows(
      tx,
      ctx.tenantId,
      { limit: limit + 1, beforeId },
      { status: input.status, eventType },
    ),
  );
  return pageOf(rows, limit, presentSubscription);
}
