import { newId, timeOfId } from "../../platform/uuid.ts";
import { byteaArrayText, storableJson, storableText } from "../../platform/postgres/storable.ts";
import type { Transaction } from "../context.ts";
import type { FinishedReceipt } from "./finished-receipt.ts";

const text = (value: string | null): string | null => (value === null ? null : storableText(value));

/** When the row is to be tried again; null when it is not. */
const dueMs = ({ nextRetryAtMs }: FinishedReceipt): number | null => nextRetryAtMs;

/**
 * Inserts receipts in the state that processing gave them. A row that is there already (the process died between the
 * commit and the stream's acknowledgement) is changed only while its state is not final.
 *
 * @param dropProcessedBodies LOG_REQUEST_BODIES is false: the body of what is PROCESSED is not kept
 */
export async function insertReceipts(
  tx: Transaction,
  receipts: readonly FinishedReceipt[],
  options: { partitionOf: (endpointId: string) => number; dropProcessedBodies: boolean },
): Promise<void> {
  if (receipts.length === 0) return;
  const isDropped = ({ status }: FinishedReceipt): boolean =>
    options.dropProcessedBodies && status === "PROCESSED";
  const column = <T>(pick: (one: FinishedReceipt) => T): T[] => receipts.map(pick);
  await tx`
    insert into webhook_receipts (
      id, created_at, tenant_id, endpoint_id, integration_id, event_key, event_id, event_type, status, attempt_count,
      next_retry_at, error_code, error_message, target_service, method, path, query, headers, content_type,
      content_encoding, body, body_size, body_dropped, large_body_id, output, source_ip, correlation_id, traceparent,
      duplicate_of, partition, processed_at
    )
    select id, to_timestamp(created_ms / 1000.0), tenant_id, endpoint_id, integration_id, event_key, event_id,
      event_type, status, attempt_count, to_timestamp(due_ms / 1000.0), error_code, error_message, target_service,
      'POST', path, query, headers, headers ->> 'content-type', headers ->> 'content-encoding', body, body_size,
      body_dropped = 1, case when is_large = 1 then id end, output, source_ip, correlation_id, headers ->> 'traceparent',
      duplicate_of, partition, case when due_ms is null and status <> 'HELD' then now() end
    from unnest(
      ${column(({ receipt }) => receipt.id)}::text[]::uuid[],
      ${column(({ receipt }) => timeOfId(receipt.id))}::float8[],
      ${column(({ receipt }) => receipt.tenantId)}::text[]::uuid[],
      ${column(({ receipt }) => receipt.endpointId)}::text[]::uuid[],
      ${column(({ integrationId }) => integrationId)}::text[]::uuid[],
      ${column(({ receipt }) => receipt.eventKey)}::text[],
      ${column(({ receipt }) => text(receipt.eventId))}::text[],
      ${column(({ receipt }) => text(receipt.eventType))}::text[],
      ${column(({ status }) => status)}::text[],
      ${column(({ attemptCount }) => attemptCount)}::int[],
      ${column(dueMs)}::float8[],
      ${column(({ errorCode }) => errorCode)}::text[],
      ${column(({ errorMessage }) => text(errorMessage))}::text[],
      ${column(({ targetService }) => targetService)}::text[],
      ${column(({ receipt }) => text(receipt.path.split("?", 1)[0]!))}::text[],
      ${column(({ receipt }) => (receipt.path.includes("?") ? text(receipt.path.slice(receipt.path.indexOf("?") + 1)) : null))}::text[],
      ${column(({ receipt }) => storableJson(receipt.headers))}::text[]::jsonb[],
      ${byteaArrayText(column((one) => (one.receipt.isLarge || isDropped(one) ? null : (one.body ?? null))))}::text::bytea[],
      ${column(({ receipt }) => receipt.bodySize)}::int[],
      ${column((one) => Number(isDropped(one)))}::int[],
      ${column((one) => Number(one.receipt.isLarge && !isDropped(one)))}::int[],
      ${byteaArrayText(column(({ output }) => (output === null ? null : Buffer.from(output))))}::text::bytea[],
      ${column(({ receipt }) => receipt.sourceIp)}::text[],
      ${column(({ receipt }) => text(receipt.requestId))}::text[],
      ${column(({ duplicateOf }) => duplicateOf)}::text[]::uuid[],
      ${column(({ receipt }) => options.partitionOf(receipt.endpointId))}::int[]
    ) as given(
      id, created_ms, tenant_id, endpoint_id, integration_id, event_key, event_id, event_type, status, attempt_count,
      due_ms, error_code, error_message, target_service, path, query, headers, body, body_size, body_dropped, is_large,
      output, source_ip, correlation_id, duplicate_of, partition
    )
    on conflict (id, created_at) do update set
      status = excluded.status, attempt_count = excluded.attempt_count, next_retry_at = excluded.next_retry_at,
      error_code = excluded.error_code, error_message = excluded.error_message, output = excluded.output,
      target_service = excluded.target_service, processed_at = excluded.processed_at
    where webhook_receipts.status in ('RETRYING', 'HELD')`;
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
      ${byteaArrayText(column(({ output }) => (output === null ? null : Buffer.from(output))))}::text::bytea[],
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
