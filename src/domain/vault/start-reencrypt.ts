import { newId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import type { Context } from "../context.ts";
import { newKeyRow } from "./data-key.ts";
import { announceDataKeys } from "./follow-data-keys.ts";
import { insertVaultJob, replaceActiveKey } from "./store.ts";

/**
 * Gives the tenant a new data key and begins to seal all of its secrets with it. Old secrets stay readable until the
 * job has gone through all of them; the old key is destroyed then.
 *
 * @param ctx of the tenant, as the hub itself
 * @returns false when there is nothing to do: no key yet, or a job that is open already
 * @throws VaultError when the key ring is empty
 */
export async function startReencrypt(ctx: Context): Promise<boolean> {
  const { runtime, tenantId } = ctx;
  const now = new Date(runtime.clock.nowMs());
  const key = newKeyRow(runtime, tenantId);
  const job = { id: newId(now.getTime()), kind: "REENCRYPT" as const, tenantId, target: key.id, now };
  const { isStarted } = await runtime.sqlSystem.begin(async (tx) => {
    if (!(await insertVaultJob(tx, job))) return { isStarted: false };
    if (!(await replaceActiveKey(tx, tenantId, key))) {
      await tx`delete from vault_jobs where id = ${job.id}`;
      return { isStarted: false };
    }
    await emitAudit(tx, ctx, { verb: "data_key.rotate", objectType: "data_key", objectId: key.id });
    return { isStarted: true };
  });
  if (isStarted) await announceDataKeys(runtime, tenantId);
  return isStarted;
}
