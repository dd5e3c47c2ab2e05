import { Elysia, t } from "elysia";
import { GatewayCall } from "../../domain/gateway/call-schema.ts";
import { getCall } from "../../domain/gateway/get-call.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";

/** Results of calls through the gateway that are done later. The proxy itself never enters the framework. */
export const gatewayRoutes = (runtime: Runtime) =>
  new Elysia({ name: "gateway-routes", prefix: "/api/v1", normalize: false })
    .use(authenticated(runtime, { isCounted: false }))
    .get("/integrations/:id/calls/:callId", ({ ctx, params }) => getCall(ctx, params), {
      params: t.Object({ id: t.String({ format: "uuid" }), callId: t.String({ format: "uuid" }) }),
      response: { 200: GatewayCall, ...problems(404) },
      detail: {
        tags: ["Gateway"],
        summary: "Result of a call that is done later",
        description:
          "Scope `gateway:call`. The call's 202 names this address in `Location`. Results are kept as long as logs.",
      },
    });
