import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { announceTransformation } from "./announce-transformation.ts";
import { systemTemplate } from "./system-template.ts";
import { deleteTransformationRow, lockTransformationRow } from "./store.ts";
import { listTemplateUsers } from "./usage-store.ts";

/** Users that the message names; the list is in `errors`. */
const NAMED_MAX = 5;

/**
 * Deletes a template of the tenant's own. Its versions stay readable in logs.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `conflict` for a system template, `in_use` with each user
 */
export async function deleteTransformation(ctx: Context, input: { id: string }): Promise<void> {
  requireScope(ctx, "transformations:write");
  const { tenantId } = ctx;
  await withTenant(ctx, async (tx) => {
    const row = await lockTransformationRow(tx, tenantId, input.id);
    if (row === undefined) throw notFound();
    if (row.tenantId === null) throw systemTemplate(row.code);
    const users = await listTemplateUsers(tx, tenantId, row);
    if (users.length > 0) {
      const names = users.slice(0, NAMED_MAX).map(({ kind, name }) => `${kind} ${name}`);
      const rest = users.length > NAMED_MAX ? ` and ${users.length - NAMED_MAX} more` : "";
      throw new HubError("in_use", `It is used by ${names.join(", ")}${rest}.`, {
        errors: users.map(({ kind, id, name }) => ({ path: `${kind}/${id}`, message: `${name} uses it` })),
      });
    }
    await deleteTransformationRow(tx, tenantId, input.id);
    await emitAudit(tx, ctx, {
      verb: "transformation.delete",
      objectType: "transformation",
      objectId: input.id,
    });
  });
  await announceTransformation(ctx);
}
