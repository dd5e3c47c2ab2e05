import { Type } from "@sinclair/typebox";
import { Elysia, t } from "elysia";
import type { AcceptDeps } from "../../domain/inbound/accept-webhook.ts";
import { getRejection } from "../../domain/inbound/rejections/get-rejection.ts";
import { listRejectionCounts } from "../../domain/inbound/rejections/list-rejection-counts.ts";
import { listRejections } from "../../domain/inbound/rejections/list-rejections.ts";
import {
  Rejection,
  RejectionCountItem,
  RejectionDetail,
  RejectionVerdict,
  VerifyRejectionInput,
} from "../../domain/inbound/rejections/rejection-schema.ts";
import { verifyRejection } from "../../domain/inbound/rejections/verify-rejection.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";
import { idParams, listOf, listQuery } from "./list-query.ts";

const tags = ["Webhook rejections"];

const time = (description: string) => t.Optional(t.String({ minLength: 1, maxLength: 40, description }));
const endpointId = t.Optional(t.String({ format: "uuid" }));

/**
 * `/api/v1/webhooks/rejections`: samples of refused requests, why they were refused, and how they are put through.
 *
 * @param ingress the accept path of this process; without one nothing can be put through
 */
export const webhookRejectionRoutes = (runtime: Runtime, ingress: AcceptDeps | undefined) =>
  new Elysia({ name: "webhook-rejection-routes", prefix: "/api/v1/webhooks/rejections", normalize: false })
    .use(authenticated(runtime))
    .get("/", ({ ctx, query }) => listRejections(ctx, query), {
      query: listQuery({
        endpointId,
        code: t.Optional(
          t.String({
            minLength: 1,
            maxLength: 100,
            description: "Code of the answer, such as `signature_invalid`.",
          }),
        ),
        cause: t.Optional(t.String({ minLength: 1, maxLength: 100, description: "Such as `mismatch`." })),
        from: time("RFC 3339, included; the time of receipt."),
        to: time("RFC 3339, not included."),
      }),
      response: { 200: listOf(Rejection), ...problems() },
      detail: {
        tags,
        summary: "List refused requests",
        description:
          "Scope `webhooks:read`. Newest first. Few samples are kept (ten a minute of an endpoint and cause); all are " +
          "counted.",
      },
    })
    .get("/counts", ({ ctx, query }) => listRejectionCounts(ctx, query), {
      query: t.Object({ endpointId }, { additionalProperties: false }),
      response: { 200: Type.Object({ data: Type.Array(RejectionCountItem) }), ...problems() },
      detail: {
        tags,
        summary: "Count refused requests",
        description: "Scope `webhooks:read`. By endpoint and cause, the most frequent first.",
      },
    })
    .get("/:id", ({ ctx, params }) => getRejection(ctx, params), {
      params: idParams,
      response: { 200: RejectionDetail, ...problems(404) },
      detail: {
        tags,
        summary: "Get a refused request",
        description:
          "Scope `webhooks:read`. Redacted, with what was wrong and what to do, judged by the endpoint as it is now.",
      },
    })
    .post("/:id/verify", ({ ctx, params, body }) => verifyRejection(ctx, { ...params, ...body, ingress }), {
      params: idParams,
      body: Type.Optional(VerifyRejectionInput),
      response: { 200: RejectionVerdict, ...problems(404, 409) },
      detail: {
        tags,
        summary: "Verify a refused request again",
        description:
          "Scope `webhooks:write`. With the present secrets, at the time of its receipt. With `accept` a valid one is " +
          "put through, once; one that is not valid answers 409 with the explanation.",
      },
    });
