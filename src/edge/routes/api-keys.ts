import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { createApiKey } from "../../domain/tenancy/create-api-key.ts";
import { listApiKeys } from "../../domain/tenancy/list-api-keys.ts";
import { revokeApiKey } from "../../domain/tenancy/revoke-api-key.ts";
import { ApiKey, CreateApiKeyInput, CreatedApiKey } from "../../domain/tenancy/schema.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";
import { idParams, listOf, listQuery } from "./list-query.ts";

const tags = ["API keys"];

/** `/api/v1/api-keys`: the tenant's own keys. */
export const apiKeyRoutes = (runtime: Runtime) =>
  new Elysia({ name: "api-key-routes", prefix: "/api/v1/api-keys", normalize: false })
    .use(authenticated(runtime))
    .get("/", ({ ctx, query }) => listApiKeys(ctx, query), {
      query: listQuery({}),
      response: { 200: listOf(ApiKey), ...problems() },
      detail: {
        tags,
        summary: "List API keys",
        description: "Scope `keys:write`. Revoked keys are left out.",
      },
    })
    .post("/", ({ body, once }) => once(201, body, (ctx) => createApiKey(ctx, body)), {
      body: CreateApiKeyInput,
      response: { 201: CreatedApiKey, ...problems(409) },
      detail: {
        tags,
        summary: "Create an API key",
        description:
          "Scope `keys:write`. The key is shown once; it cannot hold a scope that its creator lacks.",
      },
    })
    .delete(
      "/:id",
      async ({ ctx, params, set }) => {
        await revokeApiKey(ctx, params);
        set.status = 204;
      },
      {
        params: idParams,
        response: { 204: Type.Void(), ...problems(404) },
        detail: {
          tags,
          summary: "Revoke an API key",
          description: "Scope `keys:write`. Ends the key at once.",
        },
      },
    );
