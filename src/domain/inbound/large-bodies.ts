import type { Runtime } from "../../platform/runtime.ts";
import { timeOfId } from "../../platform/uuid.ts";

/** Bodies above this are put into Postgres and travel through the stream as a reference, so that Redis stays small. */
export const LARGE_BODY_BYTES = 64 * 1024;

/** Bytes of one row: a body is written piece by piece, so that encoding 20 MiB does not hold up the event loop. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Stores a body under its receipt's id, in pieces, in one transaction.
 *
 * @returns false when Postgres could not take it: then nothing may be acknowledged
 */
export async function saveLargeBody(
  runtime: Runtime,
  tenantId: string,
  receiptId: string,
  body: Uint8Array,
): Promise<boolean> {
  const createdAt = new Date(timeOfId(receiptId));
  try {
    await runtime.sqlApp.begin(async (tx) => {
      await tx`select set_config('app.tenant', ${tenantId}, true)`;
      for (let at = 0, part = 0; at < body.byteLength; at += CHUNK_BYTES, part++) {
        const bytes = Buffer.from(
          body.buffer,
          body.byteOffset + at,
          Math.min(CHUNK_BYTES, body.byteLength - at),
        );
        await tx`
          insert into large_bodies (receipt_id, part, tenant_id, bytes, created_at)
          values (${receiptId}, ${part}, ${tenantId}, ${bytes}, ${createdAt})`;
      }
    });
    return true;
  } catch (error) {
    runtime.log.warn({ err: error, receiptId }, "large body not stored");
    return false;
  }
}

/** Reads a stored body as role hub_system; undefined when it is not there. */
export async function loadLargeBody(runtime: Runtime, receiptId: string): Promise<Uint8Array | undefined> {
  const rows = await runtime.sqlSystem<{ bytes: Uint8Array }[]>`
    select bytes from large_bodies where receipt_id = ${receiptId} order by part`;
  return rows.length === 0 ? undefined : Buffer.concat(rows.map((row) => row.bytes));
}
