import type { PendingQuery, Row, RowList, TransactionSql } from "postgres";
import type { Sql } from "./client.ts";

const UNIQUE_VIOLATION = "23505";

/**
 * Inserts rows that are nearly always new, such that those that are there already stay. `on conflict` makes Postgres
 * look into the key's index twice, take a lock and write a second WAL record for each row, 6 of 60 µs for a row of
 * `events` and one of `webhook_deliveries`; without it one row that is there refuses the whole statement, which is then
 * repeated with it. In a transaction, which a refusal would end, the clause stands from the beginning.
 *
 * @param insert the statement, which ends with the clause that it is given
 * @returns as the statement answers
 */
export async function insertNew<T extends readonly Row[]>(
  sql: Sql | TransactionSql,
  insert: (onConflict: PendingQuery<Row[]>) => PendingQuery<T>,
): Promise<RowList<T>> {
  const leaving = sql`on conflict do nothing`;
  if ("savepoint" in sql) return insert(leaving);
  try {
    return await insert(sql``);
  } catch (error) {
    if ((error as { code?: unknown }).code !== UNIQUE_VIOLATION) throw error;
    return insert(leaving);
  }
}
