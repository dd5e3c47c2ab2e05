import { plainArrayText, quotedArrayText } from "../../platform/postgres/array-text.ts";
import { insertNew } from "../../platform/postgres/insert-new.ts";
import { joinTexts } from "../../platform/postgres/joined-text.ts";
import { byteaArrayText, storableText } from "../../platform/postgres/storable.ts";
import { timeOfId } from "../../platform/uuid.ts";
import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import type { AttemptFacts, DeliveryTrigger } from "./delivery-work.ts";
import type { NextState } from "./next-state.ts";

/** A row of webhook_deliveries. */
export interface AttemptRow extends AttemptFacts {
  deliveryId: string;
  tenantId: string;
  subscriptionId: string;
  eventId: string;
  eventType: string;
  /** Null for a test: its event has no row, and the payload stands here. */
  eventCreatedAtMs: number | null;
  payload: string | null;
  attemptNumber: number;
  next: NextState;
  trigger: DeliveryTrigger;
  replayId: string | null;
  correlationId: string | null;
  traceparent: string | null;
}

const text = (value: string | null): string | null => (value === null ? null : storableText(value));
const bytes = (value: string | null): Uint8Array | null => (value === null ? null : Buffer.from(value));

/**
 * Inserts attempts in one statement; one that is there already stays.
 *
 * @param sql role hub_system
 * @returns how many were not there
 */
export async function insertAttempts(sql: Sql | Transaction, rows: readonly AttemptRow[]): Promise<number> {
  if (rows.length === 0) return 0;
  const plain = (pick: (row: AttemptRow) => string | number | null): string => plainArrayText(rows.map(pick));
  const quoted = (pick: (row: AttemptRow) => string | null): string => quotedArrayText(rows.map(pick));
  const dueMs = ({ next }: AttemptRow): number | null =>
    next.status === "RETRYING" ? next.nextRetryAtMs : null;
  const asked = joinTexts(rows.map(({ requestHeaders }) => requestHeaders));
  const answered = joinTexts(rows.map(({ responseHeaders }) => responseHeaders));
  const inserted = await insertNew(
    sql,
    (onConflict) => sql`
    insert into webhook_deliveries (
      id, created_at, tenant_id, subscription_id, delivery_id, event_type, event_id, event_created_at, payload,
      attempt_number, request_url, request_headers, request_body, response_status, response_headers, response_body,
      response_time_ms, status, error_code, error_message, next_retry_at, correlation_id, traceparent, trigger, replay_id)
    select id, to_timestamp(created_ms / 1000.0), tenant_id, subscription_id, delivery_id, event_type, event_id,
      to_timestamp(event_ms / 1000.0), payload, attempt_number, request_url,
      convert_from(substring((select convert_to(${asked.text}::text, 'UTF8')) from asked_from for asked_bytes),
        'UTF8')::jsonb,
      request_body, response_status,
      convert_from(substring((select convert_to(${answered.text}::text, 'UTF8')) from answered_from for answered_bytes),
        'UTF8')::jsonb,
      response_body, response_time_ms, status, error_code, error_message, to_timestamp(due_ms / 1000.0),
      correlation_id, traceparent, trigger, replay_id
    from unnest(
      ${plain(({ id }) => id)}::text::uuid[],
      ${plain(({ id }) => timeOfId(id))}::text::float8[],
      ${plain(({ tenantId }) => tenantId)}::text::uuid[],
      ${plain(({ subscriptionId }) => subscriptionId)}::text::uuid[],
      ${plain(({ deliveryId }) => deliveryId)}::text::uuid[],
      ${quoted(({ eventType }) => eventType)}::text::text[],
      ${plain(({ eventId }) => eventId)}::text::uuid[],
      ${plain(({ eventCreatedAtMs }) => eventCreatedAtMs)}::text::float8[],
      ${byteaArrayText(rows.map(({ payload }) => bytes(payload)))}::text::bytea[],
      ${plain(({ attemptNumber }) => attemptNumber)}::text::int[],
      ${quoted(({ url }) => text(url))}::text::text[],
      ${plainArrayText(asked.starts)}::text::int[],
      ${plainArrayText(asked.sizes)}::text::int[],
      ${byteaArrayText(rows.map(({ requestBody }) => bytes(requestBody)))}::text::bytea[],
      ${plain(({ responseStatus }) => responseStatus)}::text::int[],
      ${plainArrayText(answered.starts)}::text::int[],
      ${plainArrayText(answered.sizes)}::text::int[],
      ${byteaArrayText(rows.map(({ responseBody }) => responseBody))}::text::bytea[],
      ${plain(({ responseTimeMs }) => responseTimeMs)}::text::int[],
      ${plain(({ next }) => next.status)}::text::text[],
      ${quoted(({ errorCode }) => errorCode)}::text::text[],
      ${quoted(({ errorMessage }) => text(errorMessage))}::text::text[],
      ${plain(dueMs)}::text::float8[],
      ${quoted(({ correlationId }) => text(correlationId))}::text::text[],
      ${quoted(({ traceparent }) => text(traceparent))}::text::text[],
      ${plain(({ trigger }) => trigger)}::text::text[],
      ${plain(({ replayId }) => replayId)}::text::uuid[]
    ) as given(
      id, created_ms, tenant_id, subscription_id, delivery_id, event_type, event_id, event_ms, payload, attempt_number,
      request_url, asked_from, asked_bytes, request_body, response_status, answered_from, answered_bytes, response_body,
      response_time_ms, status, error_code, error_message, due_ms, correlation_id, traceparent, trigger, replay_id)
    ${onConflict}`,
  );
  return inserted.count;
}
