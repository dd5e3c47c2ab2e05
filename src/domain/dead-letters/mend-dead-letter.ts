import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, invalidInput, notFound } from "../errors.ts";
import { BODY_BYTES_MAX } from "../inbound/endpoint-schema.ts";
import { presentDeadLetter } from "./present-dead-letter.ts";
import type { DeadLetter, MendDeadLetterInput } from "./schema.ts";
import { getDeadLetterRow, saveMendedBody } from "./store.ts";

/**
 * Puts a mended body beside the original of an open dead letter; a replay processes it in place of the original.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `conflict` when it was replayed; 422 `invalid_input` for text
 * that is no base64 or cannot be written as UTF-8, and for more than an endpoint takes
 */
export async function mendDeadLetter(
  ctx: Context,
  input: { id: string; mended: MendDeadLetterInput },
): Promise<DeadLetter> {
  requireScope(ctx, "webhooks:write");
  const { body, bodyEncoding = "utf8", contentType = null } = input.mended;
  const bytes = body === null ? null : readBody(body, bodyEncoding);
  const by = `${ctx.actor.type}:${ctx.actor.id}`;
  return withTenant(ctx, async (tx) => {
    if ((await getDeadLetterRow(tx, ctx.tenantId, input.id)) === undefined) throw notFound();
    const mended = bytes === null ? null : { body: bytes, contentType, by };
    if (!(await saveMendedBody(tx, ctx.tenantId, input.id, mended))) {
      throw new HubError("conflict", "The dead letter was replayed; what failed again has a new one.");
    }
    await emitAudit(tx, ctx, {
      verb: "dead_letter.mend",
      objectType: "dead_letter",
      objectId: input.id,
      changedFields: ["mendedBody", "mendedContentType"],
    });
    return presentDeadLetter((await getDeadLetterRow(tx, ctx.tenantId, input.id))!);
  });
}

function readBody(text: string, encoding: "utf8" | "base64"): Uint8Array {
  const refused = (message: string) => invalidInput([{ path: "/body", message }]);
  const bytes = Buffer.from(text, encoding);
  if (encoding === "base64" && bytes.toString("base64") !== text)
    throw refused("must be base64 with padding");
  if (encoding === "utf8" && !text.isWellFormed()) throw refused("must not contain half a character");
  if (bytes.byteLength > BODY_BYTES_MAX) throw refused(`must have at most ${BODY_BYTES_MAX} bytes`);
  return bytes;
}
