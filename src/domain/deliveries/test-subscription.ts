import { senderOf } from "../../platform/egress/runtime-sender.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { newId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, type Transaction, withTenant } from "../context.ts";
import { HubError, invalidInput, notFound } from "../errors.ts";
import { findBuiltInType } from "../events/built-in-types.ts";
import { getEventTypeRow } from "../events/event-type-store.ts";
import { readEventType } from "../events/event-type.ts";
import { compileSubscription } from "../subscriptions/compile-subscription.ts";
import { getSubscriptionRow } from "../subscriptions/store.ts";
import { jsonataPoolOf } from "../transformations/runtime-pool.ts";
import { attemptDelivery } from "./attempt-delivery.ts";
import { insertAttempts } from "./attempt-writer.ts";
import { deliveryIdOf } from "./delivery-id.ts";
import { standardPayload } from "./delivery-payload.ts";
import type { DeliveryAttemptDetail } from "./delivery-schema.ts";
import { listDeliveryAttempts } from "./delivery-store.ts";
import type { Delivery, DeliveryEvent } from "./delivery-work.ts";
import { presentAttemptDetail } from "./present-delivery.ts";
import { SubscriptionAuthorizer } from "./subscription-auth.ts";

const authorizers = new WeakMap<Runtime, SubscriptionAuthorizer>();

/** What is sent when no event type is asked for. */
const TEST_TYPE = "webhook.test";

/**
 * Sends one event to a subscription, whatever its status, and tells what came back: `webhook.test`, or the sample of an
 * event type. It is signed and authenticated as any delivery, stands in the history with trigger TEST, is not repeated,
 * and counts in no total and towards no limit.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 422 `invalid_input` for a type that is not known or has no sample;
 * 503 `unavailable` when it could not be sent
 */
export async function testSubscription(
  ctx: Context,
  input: { subscriptionId: string; eventType?: string | undefined },
): Promise<DeliveryAttemptDetail> {
  requireScope(ctx, "webhooks:write");
  const { runtime, tenantId } = ctx;
  const { subscriptionId, eventType = TEST_TYPE } = input;
  const { row, sample } = await withTenant(ctx, async (tx) => {
    const found = await getSubscriptionRow(tx, tenantId, subscriptionId);
    if (found === undefined) throw notFound();
    const data = await sampleOf(tx, { tenantId, subscriptionId, eventType });
    await emitAudit(tx, ctx, {
      verb: "webhook_subscription.test",
      objectType: "webhook_subscription",
      objectId: subscriptionId,
      changedFields: [],
    });
    return { row: found, sample: data };
  });
  const { subscription } = await compileSubscription(runtime, row);
  const delivery = testDelivery(ctx, subscriptionId, sample);
  const sender = senderOf(runtime);
  const attempt = await attemptDelivery(
    { runtime, sender, authorizer: authorizerOf(runtime), pool: () => jsonataPoolOf(runtime) },
    subscription,
    delivery,
  );
  if ("notMadeBecause" in attempt) throw new HubError("unavailable", attempt.notMadeBecause);
  const { event } = delivery;
  await runtime.sqlSystem.begin((tx) =>
    insertAttempts(tx, [
      {
        ...attempt.facts,
        deliveryId: delivery.id,
        tenantId,
        subscriptionId,
        eventId: event.id,
        eventType: event.type,
        eventCreatedAtMs: null,
        payload: Buffer.from(standardPayload(event)).toString(),
        attemptNumber: 1,
        next: { status: attempt.outcome.kind === "delivered" ? "DELIVERED" : "FAILED" },
        trigger: "TEST",
        replayId: null,
        correlationId: ctx.requestId,
        traceparent: null,
      },
    ]),
  );
  const [stored] = await withTenant(ctx, (tx) =>
    listDeliveryAttempts(tx, tenantId, subscriptionId, delivery.id),
  );
  return presentAttemptDetail(stored!);
}

/** What is sent: the type as the catalogue writes it, and its data. */
interface Sample {
  type: string;
  data: unknown;
}

async function sampleOf(
  tx: Transaction,
  wanted: { tenantId: string; subscriptionId: string; eventType: string },
): Promise<Sample> {
  const { tenantId, subscriptionId, eventType } = wanted;
  if (eventType === TEST_TYPE)
    return {
      type: TEST_TYPE,
      data: { subscriptionId, message: "This is a test of the subscription." },
    };
  const type = readEventType(eventType);
  const row = type === undefined ? undefined : await getEventTypeRow(tx, tenantId, type);
  const builtIn = type === undefined ? undefined : findBuiltInType(type);
  if (type === undefined || (row ?? builtIn) === undefined)
    throw invalidInput([{ path: "/eventType", message: "is no event type of the catalogue" }]);
  const data = row?.sample ?? builtIn?.sample;
  if (data === undefined)
    throw invalidInput([{ path: "/eventType", message: "has no sample in the catalogue" }]);
  return { type, data };
}

function testDelivery(ctx: Context, subscriptionId: string, sample: Sample): Delivery {
  const nowMs = ctx.runtime.clock.nowMs();
  const event: DeliveryEvent = {
    id: newId(nowMs),
    tenantId: ctx.tenantId,
    type: sample.type,
    occurredAtMs: nowMs,
    createdAtMs: nowMs,
    orderingKey: undefined,
    correlationId: ctx.requestId,
    traceparent: undefined,
    data: JSON.stringify(sample.data),
  };
  return {
    id: deliveryIdOf({ eventId: event.id, subscriptionId }),
    member: "",
    subscriptionId,
    event,
    trigger: "TEST",
    replayId: undefined,
    attempts: 0,
    isOpen: false,
    isOrdered: false,
    enqueued: undefined,
  };
}

function authorizerOf(runtime: Runtime): SubscriptionAuthorizer {
  let authorizer = authorizers.get(runtime);
  if (authorizer === undefined) {
    authorizer = new SubscriptionAuthorizer({
      sender: senderOf(runtime),
      nowMs: () => runtime.clock.nowMs(),
    });
    authorizers.set(runtime, authorizer);
  }
  return authorizer;
}
