import { newId } from "../../platform/uuid.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { VaultError } from "./data-key.ts";
import { insertVaultJob } from "./store.ts";

/**
 * Begins to wrap every tenant's data keys with the first key of INTEGRATION_ENCRYPTION_KEY; no secret is touched. Once
 * the job is done nothing needs the other keys of the list any more. Every process must have the new key in its list
 * before.
 *
 * @returns false when a job of this kind is open already, which then goes on
 * @throws VaultError when the key ring is empty
 */
export async function startRewrap(runtime: Runtime): Promise<boolean> {
  const [target] = runtime.keyRing.ids();
  if (target === undefined)
    throw new VaultError("Cannot wrap data keys: INTEGRATION_ENCRYPTION_KEY is empty");
  const now = new Date(runtime.clock.nowMs());
  const job = { id: newId(now.getTime()), kind: "REWRAP" as const, tenantId: null, target, now };
  return (await runtime.sqlSystem.begin(async (tx) => ({ isNew: await insertVaultJob(tx, job) }))).isNew;
}
