import { newId, timeOfId } from "../../platform/uuid.ts";
import { plainArrayText, quotedArrayText } from "../../platform/postgres/array-text.ts";
import { byteaArrayText, storableJson, storableText } from "../../platform/postgres/storable.ts";
import type { Transaction } from "../context.ts";
import type { FinishedReceipt } from "./finished-receipt.ts";
import { inboundLogColumns } from "./inbound-log-columns.ts";

const text = (value: string | null): string | null => (value === null ? null : storableText(value));

/** When the row is to be tried again; null when it is not. */
const dueMs = ({ nextRetryAtMs }: FinishedReceipt): number | null => nextRetryAtMs;

export interface InsertOptions {
  /** PUBLIC_URL, before the path in log rows. */
  publicUrl: string;
  /** LOG_REQUEST_BODIES is false: the body of what is PROCESSED is not kept. */
  dropProcessedBodies: boolean;
}

/**
 * Inserts receipts in the state that processing gave them, and their log rows in the same statement, because the two
 * share most of their columns. A receipt that is there already (the process died between the commit and the stream's
 * acknowledgement) is changed only while its state is not final; a log row that is there already stays.
 */
export async function insertReceipts(
  tx: Transaction,
  receipts: readonly FinishedReceipt[],
  options: InsertOptions,
): Promise<void> {
  if (receipts.length === 0) return;
  const isDropped = ({ status }: FinishedReceipt): boolean =>
    options.dropProcessedBodies && status === "PROCESSED";
  const plain = (pick: (one: FinishedReceipt) => string | number | null): string =>
    plainArrayText(receipts.map(pick));
  const quoted = (pick: (one: FinishedReceipt) => string | null): string =>
    quotedArrayText(receipts.map(pick));
  const logs = receipts.map(inboundLogColumns);
  await tx`
    with given as (
      select given.*, to_timestamp(created_ms / 1000.0) as created_at
      from unnest(
        ${plain(({ receipt }) => receipt.id)}::text::uuid[],
        ${plain(({ receipt }) => timeOfId(receipt.id))}::text::float8[],
        ${plain(({ receipt }) => receipt.tenantId)}::text::uuid[],
        ${plain(({ receipt }) => receipt.endpointId)}::text::uuid[],
        ${plain(({ integrationId }) => integrationId)}::text::uuid[],
        ${quoted(({ receipt }) => text(receipt.eventKey))}::text::text[],
        ${quoted(({ receipt }) => text(receipt.eventId))}::text::text[],
        ${quoted(({ receipt }) => text(receipt.eventType))}::text::text[],
        ${plain(({ status }) => status)}::text::text[],
        ${plain(({ attemptCount }) => attemptCount)}::text::int[],
        ${plain(dueMs)}::text::float8[],
        ${quoted(({ errorCode }) => errorCode)}::text::text[],
        ${quoted(({ errorMessage }) => text(errorMessage))}::text::text[],
        ${quoted(({ targetService }) => targetService)}::text::text[],
        ${quoted(({ receipt }) => text(pathOf(receipt.path)))}::text::text[],
        ${quoted(({ receipt }) => text(queryOf(receipt.path)))}::text::text[],
        ${quoted(({ receipt }) => storableJson(receipt.headers))}::text::jsonb[],
        ${byteaArrayText(receipts.map((one) => (one.receipt.isLarge || isDropped(one) ? null : (one.body ?? null))))}::text::bytea[],
        ${plain(({ receipt }) => receipt.bodySize)}::text::int[],
        ${plain((one) => (isDropped(one) ? "t" : "f"))}::text::boolean[],
        ${plain((one) => (one.receipt.isLarge && !isDropped(one) ? "t" : "f"))}::text::boolean[],
        ${byteaArrayText(receipts.map(({ output }) => (output === null ? null : bytesOf(output))))}::text::bytea[],
        ${quoted(({ receipt }) => receipt.sourceIp)}::text::text[],
        ${quoted(({ receipt }) => text(receipt.requestId))}::text::text[],
        ${plain(({ duplicateOf }) => duplicateOf)}::text::uuid[],
        ${plain(({ entry }) => entry.partition)}::text::int[],
        ${quotedArrayText(logs.map(({ url }) => text(url)))}::text::text[],
        ${quotedArrayText(logs.map(({ queryParams }) => queryParams))}::text::jsonb[],
        ${quotedArrayText(logs.map(({ headers }) => headers))}::text::jsonb[],
        ${plainArrayText(logs.map(({ responseTimeMs }) => responseTimeMs))}::text::int[]
      ) as given(
        id, created_ms, tenant_id, endpoint_id, integration_id, event_key, event_id, event_type, status, attempt_count,
        due_ms, error_code, error_message, target_service, path, query, headers, body, body_size, body_dropped,
        is_large, output, source_ip, correlation_id, duplicate_of, partition, log_url, log_query, log_headers,
        response_time_ms
      )
    ), logged as (
      insert into api_request_logs (
        id, created_at, tenant_id, integration_id, endpoint_id, receipt_id, direction, method, url, path, query_params,
        headers, body_size, response_status, response_time_ms, correlation_id, source_ip, status, traceparent
      )
      select id, created_at, tenant_id, integration_id, endpoint_id, id, 'INBOUND', 'POST',
        ${options.publicUrl}::text || coalesce(log_url, path), path, log_query, coalesce(log_headers, headers), body_size,
        200, response_time_ms, correlation_id, source_ip, 'SUCCESS', headers ->> 'traceparent'
      from given
      on conflict do nothing
    )
    insert into webhook_receipts (
      id, created_at, tenant_id, endpoint_id, integration_id, event_key, event_id, event_type, status, attempt_count,
      next_retry_at, error_code, error_message, target_service, method, path, query, headers, content_type,
      content_encoding, body, body_size, body_dropped, large_body_id, output, source_ip, correlation_id, traceparent,
      duplicate_of, partition, processed_at
    )
    select id, created_at, tenant_id, endpoint_id, integration_id, event_key, event_id,
      event_type, status, attempt_count, to_timestamp(due_ms / 1000.0), error_code, error_message, target_service,
      'POST', path, query, headers, headers ->> 'content-type', headers ->> 'content-encoding', body, body_size,
      body_dropped, case when is_large then id end, output, source_ip, correlation_id, headers ->> 'traceparent',
      duplicate_of, partition, case when due_ms is null and status <> 'HELD' then now() end
    from given
    on conflict (id, created_at) do update set
      status = excluded.status, attempt_count = excluded.attempt_count, next_retry_at = excluded.next_retry_at,
      error_code = excluded.error_code, error_message = excluded.error_message, output = excluded.output,
      target_service = excluded.target_service, processed_at = excluded.processed_at
    where webhook_receipts.status in ('RETRYING', 'HELD')`;
}

function pathOf(target: string): string {
  const at = target.indexOf("?");
  return at < 0 ? target : target.slice(0, at);
}

function queryOf(target: string): string | null {
  const at = target.indexOf("?");
  return at < 0 ? null : target.slice(at + 1);
}

/** Moves receipts that came back by reference into their next state. */
export async function updateReceipts(
  tx: Transaction,
  receipts: readonly FinishedReceipt[],
  options: { dropProcessedBodies: boolean },
): Promise<void> {
  if (receipts.length === 0) return;
  const times = receipts.map(({ receipt }) => timeOfId(receipt.id));
  const column = <T>(pick: (one: FinishedReceipt) => T): T[] => receipts.map(pick);
  await tx`
    update webhook_receipts r set
      status = given.status, attempt_count = given.attempt_count, next_retry_at = to_timestamp(given.due_ms / 1000.0),
      error_code = given.error_code, error_message = given.error_message, output = given.output,
      target_service = given.target_service, duplicate_of = given.duplicate_of,
      processed_at = case when given.due_ms is null and given.status <> 'HELD' then now() end,
      body = case when given.drop_body = 1 then null else r.body end,
      large_body_id = case when given.drop_body = 1 then null else r.large_body_id end,
      body_dropped = r.body_dropped or given.drop_body = 1
    from unnest(
      ${column(({ receipt }) => receipt.id)}::text[]::uuid[],
      ${column(({ status }) => status)}::text[],
      ${column(({ attemptCount }) => attemptCount)}::int[],
      ${column(dueMs)}::float8[],
      ${column(({ errorCode }) => errorCode)}::text[],
      ${column(({ errorMessage }) => text(errorMessage))}::text[],
      ${byteaArrayText(column(({ output }) => (output === null ? null : bytesOf(output))))}::text::bytea[],
      ${column(({ targetService }) => targetService)}::text[],
      ${column(({ duplicateOf }) => duplicateOf)}::text[]::uuid[],
      ${column(({ status }) => Number(options.dropProcessedBodies && status === "PROCESSED"))}::int[]
    ) as given(id, status, attempt_count, due_ms, error_code, error_message, output, target_service, duplicate_of, drop_body)
    where r.id = given.id and r.status in ('RETRYING', 'HELD')
      and r.created_at between to_timestamp(${Math.min(...times)} / 1000.0) and to_timestamp(${Math.max(...times)} / 1000.0)`;
}

/** Deletes the large bodies of what is PROCESSED, where LOG_REQUEST_BODIES is false. */
export async function deleteProcessedBodies(
  tx: Transaction,
  receipts: readonly FinishedReceipt[],
): Promise<void> {
  const ids = receipts
    .filter(({ receipt, status }) => receipt.isLarge && status === "PROCESSED")
    .map(({ receipt }) => receipt.id);
  if (ids.length === 0) return;
  await tx`delete from large_bodies where receipt_id = any(${ids}::text[]::uuid[])`;
}

/** Adds a dead letter for each receipt that is DEAD, unless one is open for it already. */
export async function insertDeadLetters(
  tx: Transaction,
  receipts: readonly FinishedReceipt[],
): Promise<void> {
  const dead = receipts.filter(({ status }) => status === "DEAD");
  if (dead.length === 0) return;
  const column = <T>(pick: (one: FinishedReceipt) => T): T[] => dead.map(pick);
  await tx`
    insert into dead_letters (
      id, tenant_id, topic, endpoint_id, receipt_id, receipt_created_at, event_key, event_id, event_type, reason_code,
      message, attempts, headers, content_type, content_encoding, body, correlation_id, traceparent
    )
    select given.id, given.tenant_id, 'inbound', given.endpoint_id, given.receipt_id,
      to_timestamp(given.created_ms / 1000.0), given.event_key, given.event_id, given.event_type, given.reason_code,
      given.message, given.attempts, given.headers, given.headers ->> 'content-type',
      given.headers ->> 'content-encoding', given.body, given.correlation_id, given.headers ->> 'traceparent'
    from unnest(
      ${column(() => newId())}::text[]::uuid[],
      ${column(({ receipt }) => receipt.tenantId)}::text[]::uuid[],
      ${column(({ receipt }) => receipt.endpointId)}::text[]::uuid[],
      ${column(({ receipt }) => receipt.id)}::text[]::uuid[],
      ${column(({ receipt }) => timeOfId(receipt.id))}::float8[],
      ${column(({ receipt }) => receipt.eventKey)}::text[],
      ${column(({ receipt }) => text(receipt.eventId))}::text[],
      ${column(({ receipt }) => text(receipt.eventType))}::text[],
      ${column(({ errorCode }) => errorCode ?? "unknown")}::text[],
      ${column(({ errorMessage }) => text(errorMessage))}::text[],
      ${column(({ attemptCount }) => attemptCount)}::int[],
      ${column(({ receipt }) => storableJson(receipt.headers))}::text[]::jsonb[],
      ${byteaArrayText(column((one) => one.body ?? null))}::text::bytea[],
      ${column(({ receipt }) => text(receipt.requestId))}::text[]
    ) as given(
      id, tenant_id, endpoint_id, receipt_id, created_ms, event_key, event_id, event_type, reason_code, message,
      attempts, headers, body, correlation_id
    )
    where not exists (select 1 from dead_letters d where d.receipt_id = given.receipt_id and d.status = 'OPEN')`;
}

function bytesOf(output: string | Uint8Array): Uint8Array {
  return typeof output === "string" ? Buffer.from(output) : output;
}
