import postgres, { type Sql } from "postgres";
import { BUILT_IN_PROVIDERS } from "./built-in-providers.ts";
import { assertManifests } from "./manifest-check.ts";
import { builtInProviderId } from "./provider-id.ts";
import { upsertBuiltInProviders } from "./store.ts";

/**
 * Checks the built-in manifests and stores them, so that integrations can refer to them. Idempotent; several processes
 * may do it at once. Runs wherever the schema is brought up to date.
 *
 * @param sql as role hub_system
 * @returns how many were new or changed
 * @throws Error that names manifest and place of each fault
 */
export async function storeBuiltIns(sql: Sql): Promise<number> {
  assertManifests(BUILT_IN_PROVIDERS);
  return upsertBuiltInProviders(
    sql,
    BUILT_IN_PROVIDERS.map((manifest) => ({ id: builtInProviderId(manifest.code), manifest })),
  );
}

/**
 * Does the same where no process of the hub runs yet.
 *
 * @param systemUrl login of hub_system
 */
export async function storeBuiltInsAt(systemUrl: string): Promise<number> {
  const sql = postgres(systemUrl, { max: 1, connect_timeout: 10, onnotice: () => undefined });
  try {
    return await storeBuiltIns(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
