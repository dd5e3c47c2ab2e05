import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, invalidInput, notFound } from "../errors.ts";
import { announceTransformation } from "./announce-transformation.ts";
import { checkContent } from "./check-content.ts";
import { readTransformation } from "./get-transformation.ts";
import {
  getTransformationRow,
  getVersionRow,
  insertVersion,
  lockTransformationRow,
  updateTransformationRow,
} from "./store.ts";
import { systemTemplate } from "./system-template.ts";
import type { RollBackInput, TransformationDetail } from "./transformation-schema.ts";

/**
 * Makes the content of an earlier version the newest one. The number grows: nobody sees another content under a number
 * that he knows, and what was rolled back stays readable. The tests are not run, because a person who goes back is in a
 * hurry and knows that this version worked.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `conflict` for a system template and the newest version itself;
 * 422 `invalid_input` when a template that it calls is gone
 */
export async function rollBackTransformation(
  ctx: Context,
  input: RollBackInput & { id: string },
): Promise<TransformationDetail> {
  requireScope(ctx, "transformations:write");
  const { tenantId } = ctx;
  const { id, version } = input;
  const { row, target } = await withTenant(ctx, async (tx) => {
    const found = await getTransformationRow(tx, tenantId, id);
    if (found === undefined) throw notFound();
    if (found.tenantId === null) throw systemTemplate(found.code);
    const wanted = await getVersionRow(tx, tenantId, id, version);
    if (wanted === undefined)
      throw invalidInput([{ path: "/version", message: `there is no version ${version}` }]);
    return { row: found, target: wanted };
  });
  if (row.version === version) throw new HubError("conflict", `Version ${version} is the newest already.`);
  const judged = await checkContent(ctx, target as never, row.code);
  if (!judged.ok) throw invalidInput(judged.faults, `Version ${version} does not work any more.`);
  const { content, subTemplates } = judged.checked;
  const rolledBack = await withTenant(ctx, async (tx) => {
    const current = await lockTransformationRow(tx, tenantId, id);
    if (current === undefined) throw notFound();
    const next = current.version + 1;
    await insertVersion(tx, { id, tenantId }, next, {
      ...content,
      note: input.note ?? null,
      restoredFrom: version,
      subTemplates,
      createdBy: ctx.actor.id,
    });
    await updateTransformationRow(tx, tenantId, id, { ...content, version: next });
    await emitAudit(tx, ctx, {
      verb: "transformation.roll_back",
      objectType: "transformation",
      objectId: id,
      changedFields: ["version"],
    });
    return readTransformation(tx, tenantId, id);
  });
  await announceTransformation(ctx);
  return rolledBack;
}
