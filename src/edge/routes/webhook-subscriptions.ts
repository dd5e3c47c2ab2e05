import { Type } from "@sinclair/typebox";
import { Elysia, t } from "elysia";
import { createSubscription } from "../../domain/subscriptions/create-subscription.ts";
import { deleteSubscription } from "../../domain/subscriptions/delete-subscription.ts";
import { getSubscription } from "../../domain/subscriptions/get-subscription.ts";
import { listSubscriptions } from "../../domain/subscriptions/list-subscriptions.ts";
import { rotateSubscriptionSecret } from "../../domain/subscriptions/rotate-subscription-secret.ts";
import {
  CreatedSubscription,
  CreateSubscriptionInput,
  RotatedSubscriptionSecret,
  RotateSubscriptionSecretInput,
  Subscription,
  SubscriptionStatus,
  UpdateSubscriptionInput,
} from "../../domain/subscriptions/schema.ts";
import { setSubscriptionStatus } from "../../domain/subscriptions/set-subscription-status.ts";
import { updateSubscription } from "../../domain/subscriptions/update-subscription.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";
import { idParams, listOf, listQuery } from "./list-query.ts";

const tags = ["Webhook subscriptions"];

/** `/api/v1/webhooks/subscriptions`: where the tenant's events are sent to. */
export const webhookSubscriptionRoutes = (runtime: Runtime) =>
  new Elysia({
    name: "webhook-subscription-routes",
    prefix: "/api/v1/webhooks/subscriptions",
    normalize: false,
  })
    .use(authenticated(runtime))
    .get("/", ({ ctx, query }) => listSubscriptions(ctx, query), {
      query: listQuery({
        status: t.Optional(SubscriptionStatus),
        eventType: t.Optional(
          t.String({ minLength: 1, maxLength: 100, description: "Those whose patterns take this type." }),
        ),
      }),
      response: { 200: listOf(Subscription), ...problems() },
      detail: { tags, summary: "List subscriptions", description: "Scope `webhooks:read`. Newest first." },
    })
    .post("/", ({ body, once }) => once(201, body, (ctx) => createSubscription(ctx, body)), {
      body: CreateSubscriptionInput,
      response: { 201: CreatedSubscription, ...problems(409) },
      detail: {
        tags,
        summary: "Create a subscription",
        description: "Scope `webhooks:write`. The signing secret is shown once.",
      },
    })
    .get("/:id", ({ ctx, params }) => getSubscription(ctx, params), {
      params: idParams,
      response: { 200: Subscription, ...problems(404) },
      detail: { tags, summary: "Get a subscription", description: "Scope `webhooks:read`." },
    })
    .put("/:id", ({ ctx, params, body }) => updateSubscription(ctx, { id: params.id, changes: body }), {
      params: idParams,
      body: UpdateSubscriptionInput,
      response: { 200: Subscription, ...problems(404) },
      detail: {
        tags,
        summary: "Change a subscription",
        description:
          "Scope `webhooks:write`. Fields present are changed, null resets. The secret of `authConfig` may be left out " +
          "while `authType` stays.",
      },
    })
    .delete(
      "/:id",
      async ({ ctx, params, set }) => {
        await deleteSubscription(ctx, params);
        set.status = 204;
      },
      {
        params: idParams,
        response: { 204: Type.Void(), ...problems(404) },
        detail: {
          tags,
          summary: "Delete a subscription",
          description: "Scope `webhooks:write`. What waits for it is cancelled; its history stays.",
        },
      },
    )
    .post("/:id/pause", ({ ctx, params }) => setSubscriptionStatus(ctx, { ...params, status: "PAUSED" }), {
      params: idParams,
      response: { 200: Subscription, ...problems(404) },
      detail: {
        tags,
        summary: "Pause a subscription",
        description: "Scope `webhooks:write`. What comes meanwhile is held.",
      },
    })
    .post("/:id/resume", ({ ctx, params }) => setSubscriptionStatus(ctx, { ...params, status: "ACTIVE" }), {
      params: idParams,
      response: { 200: Subscription, ...problems(404) },
      detail: {
        tags,
        summary: "Resume a subscription",
        description:
          "Scope `webhooks:write`. Also enables one that was disabled; what was held is delivered.",
      },
    })
    .post(
      "/:id/rotate-secret",
      ({ ctx, params, body }) => rotateSubscriptionSecret(ctx, { id: params.id, ...body }),
      {
        params: idParams,
        body: Type.Optional(RotateSubscriptionSecretInput),
        response: { 200: RotatedSubscriptionSecret, ...problems(404) },
        detail: {
          tags,
          summary: "Rotate the signing secret",
          description:
            "Scope `webhooks:write`. Deliveries are signed with the old secret too for `overlapSeconds` (0 to 7 days, " +
            "one day when left out); at most nine older ones sign at a time.",
        },
      },
    );
