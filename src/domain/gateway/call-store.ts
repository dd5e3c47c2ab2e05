import type { Sql } from "../../platform/postgres/client.ts";
import { storableJson, storableText } from "../../platform/postgres/storable.ts";
import type { Transaction } from "../context.ts";
import type { CallOptions } from "./call-options.ts";
import type { GatewayCall } from "./call-schema.ts";

/** A call that a worker is to make. */
export interface QueuedCall {
  id: string;
  tenantId: string;
  integrationId: string;
  actor: { type: "api_key" | "user" | "job" | "system"; id: string };
  correlationId: string;
  method: string;
  target: string;
  headers: Record<string, string>;
  body: Uint8Array | null;
  options: CallOptions;
  createdAt: Date;
  expiresAt: Date;
}

/** A call with its result. */
export type CallRow = Omit<QueuedCall, "actor" | "correlationId" | "headers" | "body" | "options"> & {
  status: GatewayCall["status"];
  finishedAt: Date | null;
  attempts: number;
  logId: string | null;
  responseStatus: number | null;
  responseHeaders: Record<string, string> | null;
  responseBody: Uint8Array | null;
  responseTruncated: boolean;
  error: GatewayCall["error"];
};

/** Stores a call that is to be made at once. */
export async function insertCall(
  tx: Transaction,
  call: Omit<QueuedCall, "body" | "headers"> & {
    body: Uint8Array | undefined;
    headers: Readonly<Record<string, string>>;
  },
): Promise<void> {
  await tx`
    insert into gateway_calls (id, tenant_id, integration_id, created_at, actor, correlation_id, method, target, headers,
      body, options, status, due_at, expires_at)
    values (${call.id}, ${call.tenantId}, ${call.integrationId}, ${call.createdAt}, ${tx.json(call.actor)},
      ${call.correlationId}, ${call.method}, ${call.target}, ${storableJson(call.headers)}::text::jsonb,
      ${call.body ?? null}, ${tx.json({ ...call.options })}, 'QUEUED', ${call.createdAt}, ${call.expiresAt})`;
}

/** The tenant's call. */
export async function getCallRow(
  tx: Transaction,
  tenantId: string,
  integrationId: string,
  id: string,
): Promise<CallRow | undefined> {
  const [row] = await tx<CallRow[]>`
    select id, tenant_id as "tenantId", integration_id as "integrationId", method, target, status,
      created_at as "createdAt", expires_at as "expiresAt", finished_at as "finishedAt", attempts, log_id as "logId",
      response_status as "responseStatus", response_headers as "responseHeaders", response_body as "responseBody",
      response_truncated as "responseTruncated", error
    from gateway_calls where tenant_id = ${tenantId} and integration_id = ${integrationId} and id = ${id}`;
  return row;
}

/**
 * Takes calls that are due, and those whose worker died.
 *
 * @returns with `wasStarted` for one that may have gone out already
 */
export function takeCalls(
  sql: Sql,
  input: { now: Date; leaseMs: number; limit: number },
): Promise<(QueuedCall & { wasStarted: boolean })[]> {
  return sql<(QueuedCall & { wasStarted: boolean })[]>`
    with due as (
      select id, started_at from gateway_calls where status in ('QUEUED', 'RUNNING') and due_at <= ${input.now}
      order by due_at limit ${input.limit} for update skip locked
    )
    update gateway_calls c set status = 'RUNNING', started_at = ${input.now}, tries = tries + 1,
      due_at = ${new Date(input.now.getTime() + input.leaseMs)}
    from due where c.id = due.id
    returning c.id, c.tenant_id as "tenantId", c.integration_id as "integrationId", c.actor,
      c.correlation_id as "correlationId", c.method, c.target, c.headers, c.body, c.options,
      c.created_at as "createdAt", c.expires_at as "expiresAt", due.started_at is not null as "wasStarted"`;
}

/** The worker is still at them. */
export async function renewCalls(sql: Sql, ids: readonly string[], until: Date): Promise<void> {
  await sql`update gateway_calls set due_at = ${until} where id in ${sql(ids)} and status = 'RUNNING'`;
}

/** Nothing went out: it comes again. */
export async function postponeCall(sql: Sql, id: string, dueAt: Date): Promise<void> {
  await sql`
    update gateway_calls set status = 'QUEUED', due_at = ${dueAt}, started_at = null
    where id = ${id} and status = 'RUNNING'`;
}

/** How a call ended. */
export interface CallEnd {
  status: "DONE" | "FAILED";
  finishedAt: Date;
  attempts: number;
  logId: string | undefined;
  response?: { status: number; headers: Record<string, string>; body: Uint8Array; isTruncated: boolean };
  error?: NonNullable<GatewayCall["error"]>;
}

/** Stores the result; what was asked is no longer needed. @returns false when it was ended already */
export async function finishCall(tx: Transaction, id: string, end: CallEnd): Promise<boolean> {
  const { response, error } = end;
  const rows = await tx`
    update gateway_calls set status = ${end.status}, finished_at = ${end.finishedAt}, attempts = ${end.attempts},
      log_id = ${end.logId ?? null}, response_status = ${response?.status ?? null},
      response_headers = ${response === undefined ? null : storableJson(response.headers)}::text::jsonb,
      response_body = ${response?.body ?? null}, response_truncated = ${response?.isTruncated ?? false},
      error = ${error === undefined ? null : storableJson({ ...error, message: storableText(error.message) })}::text::jsonb,
      headers = '{}', body = null
    where id = ${id} and status = 'RUNNING' returning id`;
  return rows.length > 0;
}

/** Forgets results. @returns how many */
export async function deleteCallsBefore(sql: Sql, before: Date): Promise<number> {
  const { count } = await sql`delete from gateway_calls where finished_at < ${before}`;
  return count;
}
