import { Type } from "@sinclair/typebox";
import { Elysia, t } from "elysia";
import { createProvider } from "../../domain/providers/create-provider.ts";
import { deleteProvider } from "../../domain/providers/delete-provider.ts";
import { getProvider } from "../../domain/providers/get-provider.ts";
import { listProviders } from "../../domain/providers/list-providers.ts";
import {
  ChangedProvider,
  ManifestInput,
  Provider,
  ProviderCategory,
  ProviderDetail,
  ProviderOrigin,
  ProviderStatus,
} from "../../domain/providers/schema.ts";
import { updateProvider } from "../../domain/providers/update-provider.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";
import { listOf, listQuery } from "./list-query.ts";

const tags = ["Integration providers"];
const codeParams = t.Object({ code: t.String({ minLength: 1, maxLength: 100 }) });

/** `/api/v1/integrations/providers`: outside systems that can be integrated, built in and the tenant's own. */
export const providerRoutes = (runtime: Runtime) =>
  new Elysia({ name: "provider-routes", prefix: "/api/v1/integrations/providers", normalize: false })
    .use(authenticated(runtime))
    .get("/", ({ ctx, query }) => listProviders(ctx, query), {
      query: listQuery({
        category: t.Optional(ProviderCategory),
        status: t.Optional(ProviderStatus),
        origin: t.Optional(ProviderOrigin),
      }),
      response: { 200: listOf(Provider), ...problems() },
      detail: {
        tags,
        summary: "List available providers",
        description: "Scope `integrations:read`. The built-in ones and the tenant's own.",
      },
    })
    .post("/", ({ body, once }) => once(201, body, (ctx) => createProvider(ctx, body)), {
      body: ManifestInput,
      response: { 201: ProviderDetail, ...problems(409) },
      detail: {
        tags,
        summary: "Describe a provider of one's own",
        description:
          "Scope `integrations:write`. The manifest is checked as a whole; each fault comes with its JSON pointer.",
      },
    })
    .get("/:code", ({ ctx, params }) => getProvider(ctx, params), {
      params: codeParams,
      response: { 200: ProviderDetail, ...problems(404) },
      detail: {
        tags,
        summary: "Get a provider",
        description:
          "Scope `integrations:read`. `manifest.facts` tells where each part was found and how sure it is.",
      },
    })
    .put("/:code", ({ ctx, params, body }) => updateProvider(ctx, { code: params.code, changes: body }), {
      params: codeParams,
      body: ManifestInput,
      response: { 200: ChangedProvider, ...problems(404, 409) },
      detail: {
        tags,
        summary: "Change a provider of one's own",
        description:
          "Scope `integrations:write`. Members present are changed, null takes one away. Integrations that lack what the new manifest asks for go on with the one before.",
      },
    })
    .delete(
      "/:code",
      async ({ ctx, params, set }) => {
        await deleteProvider(ctx, params);
        set.status = 204;
      },
      {
        params: codeParams,
        response: { 204: Type.Void(), ...problems(404, 409) },
        detail: {
          tags,
          summary: "Delete a provider of one's own",
          description: "Scope `integrations:write`. 409 while integrations use it.",
        },
      },
    );
