import { newId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { invalidInput, notFound } from "../errors.ts";
import { templatesOf } from "../transformations/template-cache.ts";
import { mapDocument } from "../transformations/transform-document.ts";
import { announceDocument } from "./announce-document.ts";
import type { EdiDocumentDetail, SendDocumentInput } from "./document-schema.ts";
import { getDocumentRow } from "./document-store.ts";
import { getPartnerRow } from "./partner-store.ts";
import { presentDocumentDetail } from "./present-document.ts";
import { writeForPartner } from "./write-for-partner.ts";

/**
 * Writes an interchange for a partner with its next control numbers, and tells it by an `edi.document` event, which a
 * subscription delivers.
 *
 * @param input.body sets as readable JSON, or a template and what it maps
 * @throws HubError 403 `forbidden`; 404 `not_found`; 422 `invalid_input` with the pointer of what X12 cannot express
 */
export async function sendDocument(
  ctx: Context,
  input: { id: string; body: SendDocumentInput },
): Promise<EdiDocumentDetail> {
  requireScope(ctx, "transformations:write");
  const sets = await setsOf(ctx, input.body);
  const now = new Date(ctx.runtime.clock.nowMs());
  return withTenant(ctx, async (tx) => {
    const partner = await getPartnerRow(tx, ctx.tenantId, input.id);
    if (partner === undefined) throw notFound();
    const id = newId(now.getTime());
    const written = await writeForPartner(tx, { partner, id, sets, now });
    if (!written.ok) {
      const at = input.body.sets === undefined ? "/output" : "/sets";
      throw invalidInput(
        written.faults.map(({ pointer, code, message }) => ({
          path: at + pointer,
          message: `${code}: ${message}`,
        })),
      );
    }
    const row = (await getDocumentRow(tx, ctx.tenantId, id))!;
    await announceDocument(tx, {
      id,
      partner,
      kind: "DOCUMENT",
      setCodes: row.setCodes,
      interchangeControlNumber: row.interchangeControlNumber,
      bytes: written.bytes,
      correlationId: ctx.requestId,
      now,
    });
    await emitAudit(tx, ctx, { verb: "edi_document.send", objectType: "edi_document", objectId: id });
    return presentDocumentDetail(row);
  });
}

async function setsOf(ctx: Context, { sets, template, input }: SendDocumentInput): Promise<unknown[]> {
  if (sets !== undefined) {
    if (template === undefined && input === undefined) return sets;
    throw invalidInput([{ path: "/sets", message: "goes without template and input" }]);
  }
  if (template === undefined || input === undefined)
    throw invalidInput([{ path: "/sets", message: "is needed, or template and input" }]);
  const { runtime, tenantId } = ctx;
  const ready = await templatesOf(runtime).find(tenantId, template);
  if (ready === null)
    throw invalidInput([{ path: "/template", message: "is no transformation of this tenant" }]);
  if (ready.sourceFormat !== "JSON" || ready.targetFormat !== "X12")
    throw invalidInput([{ path: "/template", message: "must be a transformation from JSON to X12" }]);
  const mapped = await mapDocument(runtime, ready, { bytes: Buffer.from(JSON.stringify(input)) });
  if (!mapped.ok) {
    throw invalidInput(
      mapped.faults.map(({ source = "", message, code }) => ({
        path: `/input${source}`,
        message: `${code}: ${message}`,
      })),
    );
  }
  const { document } = mapped;
  const made: unknown[] = Array.isArray(document) ? (document as unknown[]) : [document];
  // The path names the partner; what the document says of it is for subscriptions.
  return made.map((set) => {
    if (typeof set !== "object" || set === null) return set;
    const { partner: _partner, ...rest } = set as { partner?: unknown };
    return rest;
  });
}
