import { isDeepStrictEqual } from "node:util";
import { announceChange } from "../announce-change.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, type Transaction, withTenant } from "../context.ts";
import { HubError, invalidInput, notFound } from "../errors.ts";
import { builtInProvider } from "./built-in-providers.ts";
import { checkCustomManifest } from "./check-custom-manifest.ts";
import { keepsWorking } from "./keeps-working.ts";
import type { ProviderManifest } from "./manifest-schema.ts";
import { presentProviderDetail } from "./present-provider.ts";
import type { ChangedProvider } from "./schema.ts";
import {
  lockOwnProvider,
  lockUsersOfProvider,
  pinUsers,
  type ProviderRow,
  replaceManifest,
} from "./store.ts";

/**
 * Changes a provider of the tenant's own: the members present are changed, null takes one away. It makes the next
 * version. Integrations that have all it asks for use it at once; the others go on with the version that they had until
 * their configuration is changed, so that a new field breaks nobody.
 *
 * @throws HubError 404 `not_found`; 409 `conflict` for a built-in provider; 422 `invalid_input` with the JSON pointer of
 * every fault
 */
export async function updateProvider(
  ctx: Context,
  input: { code: string; changes: Readonly<Record<string, unknown>> },
): Promise<ChangedProvider> {
  requireScope(ctx, "integrations:write");
  const code = input.code.toUpperCase();
  const result = await withTenant(ctx, async (tx) => {
    const current = await lockOwnProvider(tx, ctx.tenantId, code);
    if (current === undefined) throw builtInProvider(code) === undefined ? notFound() : builtIn(code);
    const manifest = changedManifest(ctx, current, input.changes);
    if (isDeepStrictEqual(manifest, current.manifest)) return { row: current, kept: [], changed: [] };
    const kept = await keepBehind(tx, ctx.tenantId, current, manifest);
    const row = await replaceManifest(tx, current, manifest);
    const changed = Object.keys(input.changes);
    await emitAudit(tx, ctx, {
      verb: "provider.update",
      objectType: "provider",
      objectId: row.id,
      changedFields: changed,
    });
    return { row, kept, changed };
  });
  if (result.changed.length > 0) await announceChange(ctx, "provider", result.row.id);
  return { ...presentProviderDetail(result.row), integrationsKept: result.kept.length };
}

function builtIn(code: string): HubError {
  return new HubError("conflict", `${code} is a built-in provider, which nobody changes.`);
}

function changedManifest(
  ctx: Context,
  current: ProviderRow,
  changes: Readonly<Record<string, unknown>>,
): ProviderManifest {
  if (changes["code"] !== undefined && changes["code"] !== current.code)
    throw invalidInput([{ path: "/code", message: "cannot be changed: integrations refer to it" }]);
  const merged = Object.fromEntries(
    Object.entries({ ...current.manifest, ...changes }).filter(([, value]) => value !== null),
  );
  const checked = checkCustomManifest(ctx.runtime, merged);
  if (!checked.ok) throw invalidInput(checked.errors, "The manifest is not valid.");
  return checked.manifest;
}

/** @returns ids of the integrations that stay with the manifest that they have */
async function keepBehind(
  tx: Transaction,
  tenantId: string,
  current: ProviderRow,
  manifest: ProviderManifest,
): Promise<string[]> {
  const users = await lockUsersOfProvider(tx, tenantId, current.id);
  const kept = users
    .filter((user) => user.providerVersion === null && !keepsWorking(current.manifest, manifest, user))
    .map(({ id }) => id);
  if (kept.length > 0) await pinUsers(tx, tenantId, kept, current.version);
  return kept;
}
