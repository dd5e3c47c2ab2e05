import { Type } from "@sinclair/typebox";
import { Elysia, t } from "elysia";
import { createEndpoint } from "../../domain/inbound/create-endpoint.ts";
import { deleteEndpoint } from "../../domain/inbound/delete-endpoint.ts";
import {
  CreatedEndpoint,
  CreateEndpointInput,
  Endpoint,
  EndpointStatus,
  RotatedSecret,
  RotateSecretInput,
  UpdateEndpointInput,
} from "../../domain/inbound/endpoint-schema.ts";
import { getEndpoint } from "../../domain/inbound/get-endpoint.ts";
import { listEndpoints } from "../../domain/inbound/list-endpoints.ts";
import { rotateEndpointSecret } from "../../domain/inbound/rotate-endpoint-secret.ts";
import { updateEndpoint } from "../../domain/inbound/update-endpoint.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";
import { idParams, listOf, listQuery } from "./list-query.ts";

const tags = ["Webhook endpoints"];

/** `/api/v1/webhooks/endpoints`: where partners send to. */
export const webhookEndpointRoutes = (runtime: Runtime) =>
  new Elysia({ name: "webhook-endpoint-routes", prefix: "/api/v1/webhooks/endpoints", normalize: false })
    .use(authenticated(runtime))
    .get("/", ({ ctx, query }) => listEndpoints(ctx, query), {
      query: listQuery({
        status: t.Optional(EndpointStatus),
        integrationId: t.Optional(t.String({ format: "uuid" })),
      }),
      response: { 200: listOf(Endpoint), ...problems() },
      detail: {
        tags,
        summary: "List inbound endpoints",
        description: "Scope `webhooks:read`. Newest first.",
      },
    })
    .post("/", ({ body, once }) => once(201, body, (ctx) => createEndpoint(ctx, body)), {
      body: CreateEndpointInput,
      response: { 201: CreatedEndpoint, ...problems(404, 409) },
      detail: {
        tags,
        summary: "Create an inbound endpoint",
        description:
          "Scope `webhooks:write`. The secret is shown once; give the provider's own as `secretKey` where it chooses.",
      },
    })
    .get("/:id", ({ ctx, params }) => getEndpoint(ctx, params), {
      params: idParams,
      response: { 200: Endpoint, ...problems(404) },
      detail: { tags, summary: "Get an inbound endpoint", description: "Scope `webhooks:read`." },
    })
    .put("/:id", ({ ctx, params, body }) => updateEndpoint(ctx, { id: params.id, changes: body }), {
      params: idParams,
      body: UpdateEndpointInput,
      response: { 200: Endpoint, ...problems(404, 409) },
      detail: {
        tags,
        summary: "Change an inbound endpoint",
        description:
          "Scope `webhooks:write`. Fields present are changed, null resets. PAUSED holds what comes until it is ACTIVE again.",
      },
    })
    .delete(
      "/:id",
      async ({ ctx, params, set }) => {
        await deleteEndpoint(ctx, params);
        set.status = 204;
      },
      {
        params: idParams,
        response: { 204: Type.Void(), ...problems(404, 409) },
        detail: {
          tags,
          summary: "Delete an inbound endpoint",
          description: "Scope `webhooks:write`. Its receipts stay.",
        },
      },
    )
    .post(
      "/:id/rotate-secret",
      ({ ctx, params, body }) => rotateEndpointSecret(ctx, { id: params.id, ...body }),
      {
        params: idParams,
        body: Type.Optional(RotateSecretInput),
        response: { 200: RotatedSecret, ...problems(404, 409) },
        detail: {
          tags,
          summary: "Rotate the secret",
          description:
            "Scope `webhooks:write`. The old secret verifies too for `overlapSeconds` (0 to 7 days, one day when left out).",
        },
      },
    );
