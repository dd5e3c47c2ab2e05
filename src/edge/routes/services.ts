import { Elysia, t } from "elysia";
import { Type } from "@sinclair/typebox";
import { deleteService } from "../../domain/services/delete-service.ts";
import { getService } from "../../domain/services/get-service.ts";
import { putService } from "../../domain/services/put-service.ts";
import { Service, ServiceInput } from "../../domain/services/schema.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";

const tags = ["Services"];

/** `:name` of a path; the verb says what a name may be. */
const nameParams = t.Object({ name: t.String({ minLength: 1, maxLength: 100 }) });

/** `/api/v1/services`: the internal services that `targetService` of an endpoint names. */
export const serviceRoutes = (runtime: Runtime) =>
  new Elysia({ name: "service-routes", prefix: "/api/v1/services", normalize: false })
    .use(authenticated(runtime))
    .get("/:name", ({ ctx, params }) => getService(ctx, params), {
      params: nameParams,
      response: { 200: Service, ...problems(404) },
      detail: {
        tags,
        summary: "Get a target service",
        description: "Scope `webhooks:read`. The tenant's own one, else the platform's.",
      },
    })
    .put(
      "/:name",
      async ({ ctx, params, body, set }) => {
        const { service, created } = await putService(ctx, { name: params.name, service: body });
        set.status = created ? 201 : 200;
        return service;
      },
      {
        params: nameParams,
        body: ServiceInput,
        response: { 200: Service, 201: Service, ...problems() },
        detail: {
          tags,
          summary: "Register or replace a target service",
          description:
            "Scope `webhooks:write`. HTTP: webhooks are posted to `url`. STREAM: they are put into the Redis stream `svc:<name>`.",
        },
      },
    )
    .delete(
      "/:name",
      async ({ ctx, params, set }) => {
        await deleteService(ctx, params);
        set.status = 204;
      },
      {
        params: nameParams,
        response: { 204: Type.Void(), ...problems(404, 409) },
        detail: {
          tags,
          summary: "Remove a target service",
          description: "Scope `webhooks:write`. 409 while an endpoint routes to it.",
        },
      },
    );
