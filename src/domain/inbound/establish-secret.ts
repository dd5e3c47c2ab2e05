import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { openSecret } from "../vault/open-secret.ts";
import { sealSecret } from "../vault/seal-secret.ts";
import { secretLast4 } from "./endpoint-secret.ts";
import { getEndpointRow, updateEndpointRow } from "./endpoint-store.ts";
import { publishEndpointChange } from "./publish-endpoint-change.ts";
import { findScheme } from "./schemes/registry.ts";

/**
 * Stores the secret that a provider hands over in its handshake. Only the first one is taken: the endpoint must still
 * wait for it, which is judged under a lock.
 *
 * @returns false when the endpoint has a secret already, or is gone
 * @throws HubError 403 `forbidden`
 */
export async function establishSecret(ctx: Context, input: { id: string; secret: string }): Promise<boolean> {
  requireScope(ctx, "webhooks:write");
  const place = {
    tenantId: ctx.tenantId,
    table: "webhook_endpoints",
    rowId: input.id,
    column: "secret_key",
  };
  const taken = await withTenant(ctx, async (tx) => {
    const row = await getEndpointRow(tx, ctx.tenantId, input.id, true);
    const pendingPrefix = row && findScheme(row.signatureScheme)?.handshake?.pendingPrefix;
    if (!row || pendingPrefix === undefined) return false;
    const current = await openSecret(ctx.runtime, tx, place, row.secretKey);
    if (!current.startsWith(pendingPrefix)) return false;
    await updateEndpointRow(tx, ctx.tenantId, input.id, {
      secretKey: await sealSecret(ctx.runtime, tx, place, input.secret),
      secretLast4: secretLast4(input.secret),
    });
    await emitAudit(tx, ctx, {
      verb: "webhook_endpoint.establish_secret",
      objectType: "webhook_endpoint",
      objectId: input.id,
      changedFields: ["secretKey"],
    });
    return true;
  });
  if (taken) await publishEndpointChange(ctx, input.id);
  return taken;
}
