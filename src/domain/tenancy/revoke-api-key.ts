import { announceChange } from "../announce-change.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { revokeApiKeyRow } from "./store.ts";

/**
 * Ends an API key at once: the other processes drop it from their caches by the message sent after the commit, and at
 * the latest when their entry expires.
 *
 * @throws HubError `forbidden` without `keys:write`, `not_found` for no key of this tenant
 */
export async function revokeApiKey(ctx: Context, input: { id: string }): Promise<void> {
  requireScope(ctx, "keys:write");
  const prefix = await withTenant(ctx, async (tx) => {
    const revoked = await revokeApiKeyRow(tx, ctx.tenantId, input.id);
    if (revoked === undefined) throw notFound();
    await emitAudit(tx, ctx, { verb: "api_key.revoke", objectType: "api_key", objectId: input.id });
    return revoked;
  });
  await announceChange(ctx, "api_key", prefix);
}
