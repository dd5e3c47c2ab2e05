import { Elysia, t } from "elysia";
import { getReceipt } from "../../domain/inbound/get-receipt.ts";
import { listReceipts } from "../../domain/inbound/list-receipts.ts";
import { Receipt, ReceiptDetail, ReceiptStatus } from "../../domain/inbound/receipt-schema.ts";
import { replayReceipt } from "../../domain/inbound/replay-receipt.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";
import { idParams, listOf, listQuery } from "./list-query.ts";

const tags = ["Webhook receipts"];

const time = (description: string) => t.Optional(t.String({ minLength: 1, maxLength: 40, description }));

/** `/api/v1/webhooks/receipts`: what was received, and what became of it. */
export const receiptRoutes = (runtime: Runtime) =>
  new Elysia({ name: "receipt-routes", prefix: "/api/v1/webhooks/receipts", normalize: false })
    .use(authenticated(runtime))
    .get("/", ({ ctx, query }) => listReceipts(ctx, query), {
      query: listQuery({
        endpointId: t.Optional(t.String({ format: "uuid" })),
        status: t.Optional(ReceiptStatus),
        eventType: t.Optional(t.String({ minLength: 1, maxLength: 200 })),
        eventId: t.Optional(t.String({ minLength: 1, maxLength: 1000, description: "The sender's id." })),
        from: time("RFC 3339, included; the time of acceptance."),
        to: time("RFC 3339, not included."),
      }),
      response: { 200: listOf(Receipt), ...problems() },
      detail: {
        tags,
        summary: "List receipts",
        description:
          "Scope `webhooks:read`. Newest first. A receipt appears once it was processed for the first time.",
      },
    })
    .get("/:id", ({ ctx, params }) => getReceipt(ctx, params), {
      params: idParams,
      response: { 200: ReceiptDetail, ...problems(404) },
      detail: {
        tags,
        summary: "Get a receipt",
        description: "Scope `webhooks:read`. With headers, the body as received and what was routed.",
      },
    })
    .post(
      "/:id/replay",
      async ({ ctx, params, set }) => {
        const receipt = await replayReceipt(ctx, params);
        set.status = 202;
        return receipt;
      },
      {
        params: idParams,
        response: { 202: Receipt, ...problems(404, 409) },
        detail: {
          tags,
          summary: "Process a receipt again",
          description: "Scope `webhooks:write`. Under the same id, so that the target can tell a repetition.",
        },
      },
    );
