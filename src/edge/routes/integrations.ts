import { Type } from "@sinclair/typebox";
import { Elysia, t } from "elysia";
import { changeIntegration } from "../../domain/gateway/change-integration.ts";
import { deleteIntegration } from "../../domain/gateway/delete-integration.ts";
import { enableIntegration } from "../../domain/gateway/enable-integration.ts";
import { getHealthWithLimits } from "../../domain/gateway/get-health-with-limits.ts";
import { listFieldOptions } from "../../domain/gateway/list-field-options.ts";
import { tryNewIntegration } from "../../domain/gateway/try-new-integration.ts";
import { verifyIntegration } from "../../domain/gateway/verify-integration.ts";
import { createIntegration } from "../../domain/integrations/create-integration.ts";
import { disableIntegration } from "../../domain/integrations/disable-integration.ts";
import { getIntegration } from "../../domain/integrations/get-integration.ts";
import { getIntegrationStats } from "../../domain/integrations/get-integration-stats.ts";
import {
  IntegrationHealth,
  IntegrationHealthSummary,
  IntegrationStats,
} from "../../domain/integrations/health-schema.ts";
import { listIntegrationHealth } from "../../domain/integrations/list-integration-health.ts";
import { listIntegrations } from "../../domain/integrations/list-integrations.ts";
import {
  CreateIntegrationInput,
  Environment,
  Integration,
  IntegrationStatus,
  TestResult,
  UpdateIntegrationInput,
} from "../../domain/integrations/schema.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";
import { idParams, listOf, listQuery } from "./list-query.ts";

const tags = ["Integrations"];

const time = (description: string) => t.Optional(t.String({ minLength: 1, maxLength: 40, description }));

/** `/api/v1/integrations`: the tenant's configured providers, and how they are. */
export const integrationRoutes = (runtime: Runtime) =>
  new Elysia({ name: "integration-routes", prefix: "/api/v1", normalize: false })
    .use(authenticated(runtime))
    .get("/integrations", ({ ctx, query }) => listIntegrations(ctx, query), {
      query: listQuery({
        status: t.Optional(IntegrationStatus),
        environment: t.Optional(Environment),
        providerCode: t.Optional(t.String({ minLength: 1, maxLength: 50 })),
        category: t.Optional(t.String({ minLength: 1, maxLength: 50 })),
      }),
      response: { 200: listOf(Integration), ...problems() },
      detail: {
        tags,
        summary: "List tenant integrations",
        description: "Scope `integrations:read`. Newest first.",
      },
    })
    .post(
      "/integrations",
      async ({ ctx, query, body, once }) => {
        // The test waits for the provider, so it is over before the transaction of `once` begins.
        const tried = query.test === false ? undefined : await tryNewIntegration(ctx, body);
        return once(201, { body, query }, (joined) => createIntegration(joined, { ...body, tried }));
      },
      {
        query: t.Object(
          {
            test: t.Optional(t.Boolean({ description: "false: no test; the integration begins as PAUSED." })),
          },
          { additionalProperties: false },
        ),
        body: CreateIntegrationInput,
        response: { 201: Integration, ...problems(409) },
        detail: {
          tags,
          summary: "Create integration",
          description:
            "Scope `integrations:write`. The connection is tested within 10 seconds: ACTIVE when it works, else ERROR with " +
            "the result in `lastTest`. PENDING_AUTH where somebody has to log in with the provider first.",
        },
      },
    )
    .get("/integrations/:id", ({ ctx, params }) => getIntegration(ctx, params), {
      params: idParams,
      response: { 200: Integration, ...problems(404) },
      detail: { tags, summary: "Get integration details", description: "Scope `integrations:read`." },
    })
    .put(
      "/integrations/:id",
      ({ ctx, params, body }) => changeIntegration(ctx, { id: params.id, changes: body }),
      {
        params: idParams,
        body: UpdateIntegrationInput,
        response: { 200: Integration, ...problems(404, 409) },
        detail: {
          tags,
          summary: "Update integration",
          description:
            "Scope `integrations:write`. Fields present are changed, null resets; names left out of `config` stay, secrets too.",
        },
      },
    )
    .delete(
      "/integrations/:id",
      async ({ ctx, params, set }) => {
        await deleteIntegration(ctx, params);
        set.status = 204;
      },
      {
        params: idParams,
        response: { 204: Type.Void(), ...problems(404, 409) },
        detail: {
          tags,
          summary: "Delete integration",
          description: "Scope `integrations:write`. 409 while webhook endpoints or running sync jobs use it.",
        },
      },
    )
    .post("/integrations/:id/test", async ({ ctx, params }) => (await verifyIntegration(ctx, params)).test, {
      params: idParams,
      response: { 200: TestResult, ...problems(404, 409) },
      detail: {
        tags,
        summary: "Test connection",
        description:
          "Scope `integrations:write`. What was asked (without secrets), what came back, and which field is to blame.",
      },
    })
    .get(
      "/integrations/:id/options/:field",
      async ({ ctx, params }) => ({ data: await listFieldOptions(ctx, params) }),
      {
        params: t.Object({
          id: t.String({ format: "uuid" }),
          field: t.String({ minLength: 1, maxLength: 60 }),
        }),
        response: {
          200: t.Object({ data: t.Array(t.Object({ value: t.String(), label: t.String() })) }),
          ...problems(404, 409, 502),
        },
        detail: {
          tags,
          summary: "What a field may be set to",
          description:
            "Scope `integrations:write`. Asks the provider, with the integration's credential, for fields that have " +
            "`options` in the manifest: such as the accounts that a log-in reaches.",
        },
      },
    )
    .post("/integrations/:id/enable", ({ ctx, params }) => enableIntegration(ctx, params), {
      params: idParams,
      response: { 200: Integration, ...problems(404, 409) },
      detail: {
        tags,
        summary: "Enable integration",
        description:
          "Scope `integrations:write`. Tests first; 409 `connection_test_failed` names the fields.",
      },
    })
    .post("/integrations/:id/disable", ({ ctx, params }) => disableIntegration(ctx, params), {
      params: idParams,
      response: { 200: Integration, ...problems(404) },
      detail: {
        tags,
        summary: "Disable integration",
        description:
          "Scope `integrations:write`. It keeps its configuration; what its endpoints receive is held.",
      },
    })
    .get("/integrations/:id/health", ({ ctx, params }) => getHealthWithLimits(ctx, params), {
      params: idParams,
      response: { 200: IntegrationHealth, ...problems(404) },
      detail: { tags, summary: "Get health status", description: "Scope `integrations:read`." },
    })
    .get(
      "/integrations/:id/stats",
      ({ ctx, params, query }) => getIntegrationStats(ctx, { ...query, ...params }),
      {
        params: idParams,
        query: t.Object(
          {
            from: time("RFC 3339, taken down to its hour; 24 hours before `to` when left out."),
            to: time("RFC 3339, taken up to its hour; now when left out. At most a week."),
          },
          { additionalProperties: false },
        ),
        response: { 200: IntegrationStats, ...problems(404) },
        detail: { tags, summary: "Get usage statistics", description: "Scope `integrations:read`. By hour." },
      },
    )
    .get("/health/integrations", ({ ctx, query }) => listIntegrationHealth(ctx, query), {
      query: listQuery({ status: t.Optional(IntegrationStatus) }),
      response: { 200: listOf(IntegrationHealthSummary), ...problems() },
      detail: {
        tags,
        summary: "Health of all integrations",
        description: "Scope `integrations:read`. Newest first.",
      },
    });
