import type { TransactionSql } from "postgres";
import type { Sql } from "../../src/platform/postgres/client.ts";
import { newId } from "../../src/platform/uuid.ts";

/** Runs `work` as the verbs do: one transaction with the tenant set. */
export async function asTenant<T>(
  sql: Sql,
  tenantId: string,
  work: (tx: TransactionSql) => Promise<T>,
): Promise<T> {
  const result = await sql.begin(async (tx) => {
    await tx`select set_config('app.tenant', ${tenantId}, true)`;
    return { value: await work(tx) };
  });
  return (result as { value: T }).value;
}

/** SQLSTATE that the statement fails with; "" when it passes. */
export async function codeOf(statement: PromiseLike<unknown>): Promise<string> {
  try {
    await statement;
    return "";
  } catch (error) {
    return String((error as { code?: unknown }).code);
  }
}

export async function insertTenant(sql: Sql): Promise<string> {
  const id = newId();
  await sql`insert into tenants (id, slug, name) values (${id}, ${`t-${id}`}, 'Test')`;
  return id;
}

export async function insertEndpoint(
  sql: Sql | TransactionSql,
  tenantId: string,
  path: string,
): Promise<string> {
  const id = newId();
  await sql`
    insert into webhook_endpoints (id, tenant_id, endpoint_path, secret_key, handler_type)
    values (${id}, ${tenantId}, ${path}, 'sealed', 'CUSTOM')`;
  return id;
}
