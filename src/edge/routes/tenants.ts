import { Elysia } from "elysia";
import { createTenant } from "../../domain/tenancy/create-tenant.ts";
import { CreatedTenant, CreateTenantInput } from "../../domain/tenancy/schema.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";

/** `/api/v1/tenants`, for the platform's own operators. */
export const tenantRoutes = (runtime: Runtime) =>
  new Elysia({ name: "tenant-routes", prefix: "/api/v1/tenants", normalize: false })
    .use(authenticated(runtime))
    .post("/", ({ body, once }) => once(201, body, (ctx) => createTenant(ctx, body)), {
      body: CreateTenantInput,
      response: { 201: CreatedTenant, ...problems(409) },
      detail: {
        tags: ["Tenants"],
        summary: "Create a tenant",
        description: "Scope `platform:admin`. Answers the tenant's first API key, shown once.",
      },
    });
