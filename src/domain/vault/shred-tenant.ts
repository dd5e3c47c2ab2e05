import { publishInvalidation } from "../../platform/invalidation.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import type { Context } from "../context.ts";
import { announceDataKeys } from "./follow-data-keys.ts";
import { deleteKeys, suspendTenant, withdrawConfiguration } from "./store.ts";

/**
 * Destroys a tenant's data keys: every secret of it, in every backup too, can never be read again. The tenant is
 * suspended and what cannot work without its secrets (endpoints, subscriptions, integrations) is deleted. There is no
 * way back.
 *
 * @param ctx of the tenant, as the hub itself
 * @returns how many data keys were destroyed
 */
export async function shredTenant(ctx: Context): Promise<{ destroyedKeys: number }> {
  const { runtime, tenantId } = ctx;
  const { destroyedKeys, changed } = await runtime.sqlSystem.begin(async (tx) => {
    await suspendTenant(tx, tenantId);
    await emitAudit(tx, ctx, { verb: "tenant.shred", objectType: "tenant", objectId: tenantId });
    return {
      changed: await withdrawConfiguration(tx, tenantId),
      destroyedKeys: await deleteKeys(tx, tenantId, "ALL"),
    };
  });
  await announceDataKeys(runtime, tenantId);
  const told = [["tenant", tenantId], ...changed.map(({ kind, id }) => [kind, id])] as [string, string][];
  for (const [kind, id] of told) {
    // Caches expire within half a minute, whether or not they are told.
    // oxlint-disable-next-line no-await-in-loop -- a handful of messages
    await publishInvalidation(runtime, kind, id).catch((error: unknown) => {
      runtime.log.warn({ err: error, kind }, "change was not announced; caches expire by themselves");
    });
  }
  return { destroyedKeys };
}
