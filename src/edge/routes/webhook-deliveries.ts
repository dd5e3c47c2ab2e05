import { Elysia, t } from "elysia";
import { cancelReplay } from "../../domain/deliveries/cancel-replay.ts";
import {
  AttemptStatus,
  DeliveryAttempt,
  DeliveryAttemptDetail,
  DeliveryDetail,
  DeliveryTriggerName,
  SubscriptionStatistics,
  TestInput,
} from "../../domain/deliveries/delivery-schema.ts";
import { getDelivery } from "../../domain/deliveries/get-delivery.ts";
import { getReplay } from "../../domain/deliveries/get-replay.ts";
import { listDeliveries } from "../../domain/deliveries/list-deliveries.ts";
import { replayDeliveries } from "../../domain/deliveries/replay-deliveries.ts";
import { Replay, ReplayInput, ReplayStarted } from "../../domain/deliveries/replay-schema.ts";
import { subscriptionStatistics } from "../../domain/deliveries/subscription-statistics.ts";
import { testSubscription } from "../../domain/deliveries/test-subscription.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { TAKES_IDEMPOTENCY_KEY } from "../openapi.ts";
import { problems } from "../problems.ts";
import { idParams, listOf, listQuery } from "./list-query.ts";

const tags = ["Webhook deliveries"];

const time = (description: string) => t.Optional(t.String({ minLength: 1, maxLength: 40, description }));
const deliveryParams = t.Object({
  id: t.String({ format: "uuid" }),
  deliveryId: t.String({ format: "uuid" }),
});

/** Deliveries of a subscription: history, statistics, test and replay. */
export const webhookDeliveryRoutes = (runtime: Runtime) =>
  new Elysia({ name: "webhook-delivery-routes", prefix: "/api/v1/webhooks", normalize: false })
    .use(authenticated(runtime))
    .get(
      "/subscriptions/:id/deliveries",
      ({ ctx, params, query }) => listDeliveries(ctx, { ...query, subscriptionId: params.id }),
      {
        params: idParams,
        query: listQuery({
          status: t.Optional(AttemptStatus),
          eventType: t.Optional(
            t.String({
              minLength: 1,
              maxLength: 100,
              description: "An event type, or its beginning before `*`.",
            }),
          ),
          eventId: t.Optional(t.String({ format: "uuid" })),
          deliveryId: t.Optional(t.String({ format: "uuid" })),
          trigger: t.Optional(DeliveryTriggerName),
          from: time("RFC 3339, included; the time of the attempt."),
          to: time("RFC 3339, not included."),
        }),
        response: { 200: listOf(DeliveryAttempt), ...problems(404) },
        detail: {
          tags,
          summary: "List a subscription's delivery attempts",
          description:
            "Scope `webhooks:read`. Newest first, one row an attempt. A deleted subscription's stays.",
        },
      },
    )
    .get(
      "/subscriptions/:id/deliveries/:deliveryId",
      ({ ctx, params }) => getDelivery(ctx, { subscriptionId: params.id, deliveryId: params.deliveryId }),
      {
        params: deliveryParams,
        response: { 200: DeliveryDetail, ...problems(404) },
        detail: {
          tags,
          summary: "Get a delivery",
          description: "Scope `webhooks:read`. With its attempts, what was sent and what was answered.",
        },
      },
    )
    .get(
      "/subscriptions/:id/statistics",
      ({ ctx, params }) => subscriptionStatistics(ctx, { subscriptionId: params.id }),
      {
        params: idParams,
        response: { 200: SubscriptionStatistics, ...problems(404) },
        detail: { tags, summary: "Get a subscription's statistics", description: "Scope `webhooks:read`." },
      },
    )
    .post(
      "/subscriptions/:id/test",
      ({ ctx, params, body }) => testSubscription(ctx, { subscriptionId: params.id, ...body }),
      {
        params: idParams,
        body: t.Optional(TestInput),
        response: { 200: DeliveryAttemptDetail, ...problems(404, 503) },
        detail: {
          tags,
          summary: "Send a test event",
          description:
            "Scope `webhooks:write`. Sends `webhook.test`, or the sample of an event type, at once and answers what came back; it stands in the history and counts in no total.",
        },
      },
    )
    .post(
      "/subscriptions/:id/replay",
      ({ params, body, once }) => {
        const input = { ...body, subscriptionId: params.id };
        return once(202, input, (joined) => replayDeliveries(joined, input));
      },
      {
        params: idParams,
        body: ReplayInput,
        response: { 202: ReplayStarted, ...problems(404, 409) },
        detail: {
          tags,
          ...TAKES_IDEMPOTENCY_KEY,
          summary: "Send deliveries again",
          description:
            "Scope `webhooks:write`. One delivery, or all that a filter matches (what failed, when it is left out), at a rate. Replays carry the same `webhook-id` and a `hub-replay` header.",
        },
      },
    )
    .get("/replays/:id", ({ ctx, params }) => getReplay(ctx, params), {
      params: idParams,
      response: { 200: Replay, ...problems(404) },
      detail: { tags, summary: "Get a replay's progress", description: "Scope `webhooks:read`." },
    })
    .post("/replays/:id/cancel", ({ ctx, params }) => cancelReplay(ctx, params), {
      params: idParams,
      response: { 200: Replay, ...problems(404, 409) },
      detail: {
        tags,
        summary: "Cancel a replay",
        description:
          "Scope `webhooks:write`. Nothing more is put on its way; what still waits is not sent any more.",
      },
    });
