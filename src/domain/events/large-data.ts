import { newId, timeOfId } from "../../platform/uuid.ts";
import type { Runtime } from "../../platform/runtime.ts";

/** Data above this is put into Postgres and travels through the stream as a reference, so that Redis stays small. */
export const LARGE_DATA_BYTES = 64 * 1024;

/**
 * Stores large data until the fan-out moves it into its event's row. Of events that were refused after all it is
 * deleted with the other orphans.
 *
 * @returns the id under which it lies in `large_bodies`
 * @throws when Postgres cannot take it: then nothing may be accepted
 */
export async function saveLargeData(runtime: Runtime, tenantId: string, data: string): Promise<string> {
  const id = newId(runtime.clock.nowMs());
  await runtime.sqlSystem`
    insert into large_bodies (receipt_id, part, tenant_id, bytes, created_at)
    values (${id}, 0, ${tenantId}, ${Buffer.from(data)}, ${new Date(timeOfId(id))})`;
  return id;
}
