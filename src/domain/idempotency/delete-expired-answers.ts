import type { Lease } from "../../platform/lease.ts";
import type { Runtime } from "../../platform/runtime.ts";

/** Rows of one statement, so that none holds its locks for long. */
const BATCH_ROWS = 5000;

/**
 * Deletes remembered answers whose time is over.
 *
 * @returns how many
 */
export async function deleteExpiredAnswers(runtime: Runtime, lease: Lease): Promise<number> {
  let deleted = 0;
  while (lease.isHeld()) {
    const { count } = await runtime.sqlSystem`
      delete from idempotency_keys where (tenant_id, key) in (
        select tenant_id, key from idempotency_keys
        where expires_at < ${new Date(runtime.clock.nowMs())} order by expires_at limit ${BATCH_ROWS})`;
    deleted += count;
    if (count < BATCH_ROWS) break;
  }
  return deleted;
}
