import type { Runtime } from "../../platform/runtime.ts";
import type { Transaction } from "../context.ts";
import { VaultError } from "./data-key.ts";
import { openSecret } from "./open-secret.ts";
import { renewColumn } from "./renew-column.ts";
import { sealWithKey } from "./seal-secret.ts";
import type { SealedColumn } from "./sealed-columns.ts";
import type { SecretPlace } from "./sealed-format.ts";
import { listRetiredKeys, lockSealedRows, saveSealedRow } from "./store.ts";

/** Rows of a transaction: it holds their locks, and a refused request may be a megabyte. */
const PIECE_ROWS = 100;

/**
 * Seals a piece of a column's secrets anew, from the tenant's retired data keys to the one named.
 *
 * @returns the last row's id, null when the column is done
 */
export async function reencryptRows(
  runtime: Runtime,
  tx: Transaction,
  input: { tenantId: string; dataKeyId: string; column: SealedColumn; afterId: string | null },
): Promise<{ renewed: number; unreadable: number; lastId: string | null }> {
  const { tenantId, dataKeyId, column, afterId } = input;
  const retired = new Set(await listRetiredKeys(tx, tenantId));
  const rows = await lockSealedRows(tx, column, { tenantId, afterId, limit: PIECE_ROWS });
  let [renewed, unreadable] = [0, 0];
  for (const row of rows) {
    const reseal = async (path: string | undefined, sealed: string): Promise<string | undefined> => {
      const place: SecretPlace = {
        tenantId,
        table: column.table,
        rowId: row.id,
        column: column.column,
        ...(path === undefined ? {} : { path }),
      };
      try {
        return await sealWithKey(runtime, tx, place, dataKeyId, await openSecret(runtime, tx, place, sealed));
      } catch (error) {
        if (!(error instanceof VaultError)) throw error;
        runtime.log.error(
          { tenantId, table: column.table, column: column.column, rowId: row.id },
          error.message,
        );
        return undefined;
      }
    };
    // oxlint-disable-next-line no-await-in-loop -- one connection, one row after the other
    const result = await renewColumn(column.form, row.value, { isOld: (id) => retired.has(id), reseal });
    const renewedRow = { id: row.id, tenantId, value: result.value };
    // oxlint-disable-next-line no-await-in-loop -- as above
    if (result.renewed > 0) await saveSealedRow(tx, column, renewedRow);
    renewed += result.renewed;
    unreadable += result.unreadable;
  }
  return { renewed, unreadable, lastId: rows.length < PIECE_ROWS ? null : rows.at(-1)!.id };
}
