import type { Sql } from "postgres";
import type { Transaction } from "../context.ts";
import type { ProviderManifest } from "./manifest-schema.ts";
import { findManifestVersion, findProvider, type ProviderRow } from "./store.ts";

/** The provider that a code means for a tenant, for whoever makes an integration of it. Codes are in upper case. */
export function loadProvider(
  sql: Sql | Transaction,
  tenantId: string,
  code: string,
): Promise<ProviderRow | undefined> {
  return findProvider(sql, tenantId, code.toUpperCase());
}

/**
 * The manifest that an integration uses.
 *
 * @param newest the manifest in the provider's row
 * @param pinned `provider_version` of the integration: null for the newest one
 */
export async function manifestOf(
  sql: Sql | Transaction,
  input: { providerId: string; newest: ProviderManifest; pinned: number | null },
): Promise<ProviderManifest> {
  if (input.pinned === null) return input.newest;
  return (await findManifestVersion(sql, input.providerId, input.pinned)) ?? input.newest;
}
