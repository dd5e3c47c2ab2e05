import { Elysia, t } from "elysia";
import { listSchemes } from "../../domain/inbound/list-schemes.ts";
import { SchemeDescription } from "../../domain/inbound/scheme-schema.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";
import { listOf } from "./list-query.ts";

/** `/api/v1/webhooks/schemes`: how the senders of an endpoint may prove themselves. */
export const webhookSchemeRoutes = (runtime: Runtime) =>
  new Elysia({ name: "webhook-scheme-routes", prefix: "/api/v1/webhooks/schemes", normalize: false })
    .use(authenticated(runtime))
    .get("/", ({ ctx }) => listSchemes(ctx), {
      query: t.Object({}, { additionalProperties: false }),
      response: { 200: listOf(SchemeDescription), ...problems() },
      detail: {
        tags: ["Webhook endpoints"],
        summary: "List signature schemes",
        description:
          "Scope `webhooks:read`. What each value of `signatureScheme` checks and needs; all of them in one page.",
      },
    });
