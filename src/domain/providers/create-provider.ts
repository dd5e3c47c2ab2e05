import { newId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, invalidInput } from "../errors.ts";
import { builtInProvider } from "./built-in-providers.ts";
import { checkCustomManifest } from "./check-custom-manifest.ts";
import { presentProviderDetail } from "./present-provider.ts";
import type { ProviderDetail } from "./schema.ts";
import { insertProvider } from "./store.ts";

/**
 * Describes a provider of the tenant's own (specification, "Custom Integrations").
 *
 * @throws HubError 409 `conflict` for a code that a built-in provider or one of the tenant's has; 422 `invalid_input`
 * with the JSON pointer of every fault
 */
export async function createProvider(
  ctx: Context,
  input: Readonly<Record<string, unknown>>,
): Promise<ProviderDetail> {
  requireScope(ctx, "integrations:write");
  const checked = checkCustomManifest(ctx.runtime, input);
  if (!checked.ok) throw invalidInput(checked.errors, "The manifest is not valid.");
  const { manifest } = checked;
  if (builtInProvider(manifest.code) !== undefined)
    throw new HubError("conflict", `The code ${manifest.code} belongs to a built-in provider.`);
  const row = await withTenant(ctx, async (tx) => {
    const inserted = await insertProvider(tx, ctx.tenantId, newId(ctx.runtime.clock.nowMs()), manifest);
    if (inserted === undefined)
      throw new HubError("conflict", `There is a provider with the code ${manifest.code} already.`);
    await emitAudit(tx, ctx, {
      verb: "provider.create",
      objectType: "provider",
      objectId: inserted.id,
      changedFields: Object.keys(manifest),
    });
    return inserted;
  });
  return presentProviderDetail(row);
}
