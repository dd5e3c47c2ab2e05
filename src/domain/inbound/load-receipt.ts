import type { Sql } from "../../platform/postgres/client.ts";
import { timeOfId } from "../../platform/uuid.ts";
import type { ReceiptFacts } from "./finished-receipt.ts";
import type { ReceiptStatus } from "./receipt-state.ts";

/** What became of a receipt, as Postgres knows it. */
export interface StoredOutcome {
  status: ReceiptStatus;
  /** Set for RETRYING. */
  nextRetryAtMs: number | null;
}

/** A receipt as Postgres holds it, for being processed again. */
export interface StoredReceipt extends StoredOutcome {
  facts: ReceiptFacts;
  /** The mended body of its replayed dead letter, else the one received; undefined when it is large or was dropped. */
  body: Uint8Array | undefined;
  contentType: string | undefined;
  bodyDropped: boolean;
}

interface Row {
  id: string;
  tenantId: string;
  endpointId: string;
  eventKey: string;
  eventId: string | null;
  eventType: string | null;
  path: string | null;
  query: string | null;
  headers: Record<string, string> | null;
  sourceIp: string | null;
  correlationId: string | null;
  bodySize: number;
  largeBodyId: string | null;
  attemptCount: number;
  status: ReceiptStatus;
  nextRetryAt: Date | null;
  body: Uint8Array | null;
  bodyDropped: boolean;
  mendedBody: Uint8Array | null;
  mendedContentType: string | null;
}

/**
 * Loads receipts by id as role hub_system.
 *
 * @returns by id; what retention has dropped is missing
 */
export async function loadReceipts(sql: Sql, ids: readonly string[]): Promise<Map<string, StoredReceipt>> {
  const times = ids.map(timeOfId);
  const rows = await sql<Row[]>`
    select r.id, r.tenant_id as "tenantId", r.endpoint_id as "endpointId", r.event_key as "eventKey",
      r.event_id as "eventId", r.event_type as "eventType", r.path, r.query, r.headers, r.source_ip as "sourceIp",
      r.correlation_id as "correlationId", r.body_size as "bodySize", r.large_body_id as "largeBodyId",
      r.attempt_count as "attemptCount", r.status, r.next_retry_at as "nextRetryAt", r.body, r.body_dropped as "bodyDropped",
      d.mended_body as "mendedBody", d.mended_content_type as "mendedContentType"
    from webhook_receipts r
    left join lateral (
      select mended_body, mended_content_type from dead_letters
      where receipt_id = r.id and status = 'REPLAYED' and mended_body is not null order by id desc limit 1
    ) d on true
    where r.id = any(${[...ids]}::text[]::uuid[])
      and r.created_at between to_timestamp(${Math.min(...times)} / 1000.0) and to_timestamp(${Math.max(...times)} / 1000.0)`;
  return new Map(rows.map((row) => [row.id, storedReceipt(row)]));
}

function storedReceipt(row: Row): StoredReceipt {
  const mended = row.mendedBody ?? undefined;
  return {
    facts: {
      id: row.id,
      tenantId: row.tenantId,
      endpointId: row.endpointId,
      eventKey: row.eventKey,
      eventId: row.eventId,
      eventType: row.eventType,
      path: row.query === null ? (row.path ?? "") : `${row.path ?? ""}?${row.query}`,
      headers: mended === undefined ? (row.headers ?? {}) : withoutEncoding(row.headers ?? {}),
      sourceIp: row.sourceIp,
      requestId: row.correlationId ?? row.id,
      bodySize: row.bodySize,
      isLarge: row.largeBodyId !== null && mended === undefined,
      attemptsBefore: row.attemptCount,
    },
    status: row.status,
    nextRetryAtMs: row.nextRetryAt?.getTime() ?? null,
    body:
      mended ?? row.body ?? (row.largeBodyId === null && !row.bodyDropped ? new Uint8Array(0) : undefined),
    contentType: row.mendedContentType ?? row.headers?.["content-type"],
    bodyDropped: row.bodyDropped,
  };
}

/** A mended body is plain, however the first one was encoded. */
function withoutEncoding(headers: Record<string, string>): Record<string, string> {
  const { "content-encoding": _encoding, ...rest } = headers;
  return rest;
}

/**
 * Which of these receipts Postgres has already, and as what. For entries that were given out before: the process that
 * had them may have died after its commit.
 */
export async function loadOutcomes(sql: Sql, ids: readonly string[]): Promise<Map<string, StoredOutcome>> {
  const times = ids.map(timeOfId);
  const rows = await sql<{ id: string; status: ReceiptStatus; nextRetryAt: Date | null }[]>`
    select id, status, next_retry_at as "nextRetryAt" from webhook_receipts
    where id = any(${[...ids]}::text[]::uuid[])
      and created_at between to_timestamp(${Math.min(...times)} / 1000.0) and to_timestamp(${Math.max(...times)} / 1000.0)`;
  return new Map(
    rows.map(({ id, status, nextRetryAt }) => [
      id,
      { status, nextRetryAtMs: nextRetryAt?.getTime() ?? null },
    ]),
  );
}
