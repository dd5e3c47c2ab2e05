import { announceChange } from "../announce-change.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { builtInProvider } from "./built-in-providers.ts";
import { lockOwnProvider, lockUsersOfProvider, removeProvider } from "./store.ts";

/**
 * Deletes a provider of the tenant's own.
 *
 * @throws HubError 404 `not_found`; 409 `in_use` while integrations use it, `conflict` for a built-in provider
 */
export async function deleteProvider(ctx: Context, input: { code: string }): Promise<void> {
  requireScope(ctx, "integrations:write");
  const code = input.code.toUpperCase();
  const id = await withTenant(ctx, async (tx) => {
    const row = await lockOwnProvider(tx, ctx.tenantId, code);
    if (row === undefined) {
      if (builtInProvider(code) === undefined) throw notFound();
      throw new HubError("conflict", `${code} is a built-in provider, which nobody deletes.`);
    }
    const users = await lockUsersOfProvider(tx, ctx.tenantId, row.id);
    if (users.length > 0) throw new HubError("in_use", `${users.length} integration(s) use this provider.`);
    await removeProvider(tx, ctx.tenantId, row.id);
    await emitAudit(tx, ctx, { verb: "provider.delete", objectType: "provider", objectId: row.id });
    return row.id;
  });
  await announceChange(ctx, "provider", id);
}
