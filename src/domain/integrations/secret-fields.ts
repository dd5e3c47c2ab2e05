import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import type { VaultRuntime } from "../vault/data-key.ts";
import { openSecret } from "../vault/open-secret.ts";
import { sealSecret } from "../vault/seal-secret.ts";
import type { SecretPlace } from "../vault/sealed-format.ts";

/** Table of the sealed secrets' places. */
export const INTEGRATION_TABLE = "integrations";

/** The secret field that stands in the column which the specification gives it. */
const API_KEY_FIELD = "apiKey";

/** Secrets shorter than this show nothing of themselves. */
const LAST4_LENGTH_MIN = 16;

/** A secret field as `config` holds it; `sealed` is left out when it stands in `api_key_encrypted`. */
export interface StoredSecret {
  sealed?: string;
  last4: string | null;
}

/** The sealed columns of an integration. */
export interface SealedConfig {
  id: string;
  tenantId: string;
  config: Record<string, unknown>;
  apiKeyEncrypted: string | null;
}

/** True for an entry of `config` that is a secret field. */
export function isStoredSecret(value: unknown): value is StoredSecret {
  return typeof value === "object" && value !== null && !Array.isArray(value) && "last4" in value;
}

/** Seals secret fields for their row, in the form in which they are stored. */
export async function sealFields(
  runtime: VaultRuntime,
  tx: Transaction,
  row: { id: string; tenantId: string },
  secrets: Readonly<Record<string, string>>,
): Promise<Pick<SealedConfig, "config"> & { apiKeyEncrypted?: string }> {
  const config: Record<string, StoredSecret> = {};
  let apiKeyEncrypted: string | undefined;
  for (const [name, secret] of Object.entries(secrets)) {
    // oxlint-disable-next-line no-await-in-loop -- the tenant's key is in memory after the first
    const sealed = await sealSecret(runtime, tx, placeOf(row, name), secret);
    config[name] = { last4: secret.length >= LAST4_LENGTH_MIN ? secret.slice(-4) : null };
    if (name === API_KEY_FIELD) apiKeyEncrypted = sealed;
    else config[name].sealed = sealed;
  }
  return { config, ...(apiKeyEncrypted === undefined ? {} : { apiKeyEncrypted }) };
}

/**
 * Opens the secret fields of a stored integration.
 *
 * @throws VaultError when one cannot be opened
 */
export async function openFields(
  runtime: VaultRuntime,
  sql: Sql | Transaction,
  row: SealedConfig,
): Promise<Record<string, string>> {
  const secrets: Record<string, string> = {};
  for (const [name, value] of Object.entries(row.config)) {
    if (!isStoredSecret(value)) continue;
    const sealed = name === API_KEY_FIELD ? row.apiKeyEncrypted : value.sealed;
    if (sealed === undefined || sealed === null) continue;
    // oxlint-disable-next-line no-await-in-loop -- the tenant's key is in memory after the first
    secrets[name] = await openSecret(runtime, sql, placeOf(row, name), sealed);
  }
  return secrets;
}

/** The open fields of a stored `config`. */
export function openPart(
  config: Readonly<Record<string, unknown>>,
): Record<string, string | number | boolean> {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => !isStoredSecret(value))) as Record<
    string,
    string | number | boolean
  >;
}

function placeOf({ id, tenantId }: { id: string; tenantId: string }, name: string): SecretPlace {
  const place = { tenantId, table: INTEGRATION_TABLE, rowId: id };
  return name === API_KEY_FIELD
    ? { ...place, column: "api_key_encrypted" }
    : { ...place, column: "config", path: `/${name}` };
}
