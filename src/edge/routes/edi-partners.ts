import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { EdiDocument, EdiDocumentDetail, SendDocumentInput } from "../../domain/edi/document-schema.ts";
import { createPartner } from "../../domain/edi/create-partner.ts";
import { deletePartner } from "../../domain/edi/delete-partner.ts";
import { getDocument } from "../../domain/edi/get-document.ts";
import { getPartner } from "../../domain/edi/get-partner.ts";
import { listDocuments } from "../../domain/edi/list-documents.ts";
import { listPartners } from "../../domain/edi/list-partners.ts";
import { CreatePartnerInput, Partner, UpdatePartnerInput } from "../../domain/edi/partner-schema.ts";
import { sendDocument } from "../../domain/edi/send-document.ts";
import { updatePartner } from "../../domain/edi/update-partner.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";
import { idParams, listOf, listQuery } from "./list-query.ts";

const tags = ["EDI partners"];

const documentParams = Type.Object({
  id: Type.String({ format: "uuid" }),
  documentId: Type.String({ format: "uuid" }),
});

/** `/api/v1/edi/partners`: whose X12 documents are read, answered and written, and how. */
export const ediPartnerRoutes = (runtime: Runtime) =>
  new Elysia({ name: "edi-partner-routes", prefix: "/api/v1/edi/partners", normalize: false })
    .use(authenticated(runtime))
    .get("/", ({ ctx, query }) => listPartners(ctx, query), {
      query: listQuery({}),
      response: { 200: listOf(Partner), ...problems() },
      detail: {
        tags,
        summary: "List EDI partners",
        description: "Scope `transformations:read`. Newest first.",
      },
    })
    .post("/", ({ body, once }) => once(201, body, (ctx) => createPartner(ctx, body)), {
      body: CreatePartnerInput,
      response: { 201: Partner, ...problems(409) },
      detail: {
        tags,
        summary: "Add an EDI partner",
        description:
          "Scope `transformations:write`. Its documents are recognised by the four interchange ids, which no other partner " +
          "of the tenant may have (409). `controlNumbers` are the last ones used, where another system served it before.",
      },
    })
    .get("/:id", ({ ctx, params }) => getPartner(ctx, params), {
      params: idParams,
      response: { 200: Partner, ...problems(404) },
      detail: { tags, summary: "Get an EDI partner", description: "Scope `transformations:read`." },
    })
    .put("/:id", ({ ctx, params, body }) => updatePartner(ctx, { id: params.id, changes: body }), {
      params: idParams,
      body: UpdatePartnerInput,
      response: { 200: Partner, ...problems(404, 409) },
      detail: {
        tags,
        summary: "Change an EDI partner",
        description:
          "Scope `transformations:write`. Fields present are changed, null resets; `settings` are replaced as a whole.",
      },
    })
    .delete(
      "/:id",
      async ({ ctx, params, set }) => {
        await deletePartner(ctx, params);
        set.status = 204;
      },
      {
        params: idParams,
        response: { 204: Type.Void(), ...problems(404) },
        detail: {
          tags,
          summary: "Delete an EDI partner",
          description:
            "Scope `transformations:write`. Its documents are not recognised any more; what was sent to it stays on record.",
        },
      },
    )
    .get("/:id/documents", ({ ctx, params, query }) => listDocuments(ctx, { ...query, ...params }), {
      params: idParams,
      query: listQuery({}),
      response: { 200: listOf(EdiDocument), ...problems(404) },
      detail: {
        tags,
        summary: "List what was written for a partner",
        description:
          "Scope `transformations:read`. Acknowledgments and documents, newest first, with what the partner said of them.",
      },
    })
    .post(
      "/:id/documents",
      ({ params, body, once }) => once(201, body, (ctx) => sendDocument(ctx, { ...params, body })),
      {
        params: idParams,
        body: SendDocumentInput,
        response: { 201: EdiDocumentDetail, ...problems(404, 409) },
        detail: {
          tags,
          summary: "Send X12 to a partner",
          description:
            "Scope `transformations:write`. Written with the partner's envelope and next control numbers; an `edi.document` " +
            "event carries it to the subscriptions.",
        },
      },
    )
    .get("/:id/documents/:documentId", ({ ctx, params }) => getDocument(ctx, params), {
      params: documentParams,
      response: { 200: EdiDocumentDetail, ...problems(404) },
      detail: {
        tags,
        summary: "Get what was written for a partner",
        description: "Scope `transformations:read`.",
      },
    });
