import { floorId } from "../../platform/uuid.ts";
import type { Transaction } from "../context.ts";
import type { DeadLetterTopic } from "./schema.ts";

/** A row of dead_letters as lists show it. */
export interface DeadLetterRow {
  id: string;
  topic: DeadLetterTopic;
  endpointId: string | null;
  subscriptionId: string | null;
  receiptId: string | null;
  eventId: string | null;
  eventType: string | null;
  reasonCode: string;
  message: string | null;
  attempts: number;
  contentType: string | null;
  status: "OPEN" | "REPLAYED";
  isMended: boolean;
  mendedAt: Date | null;
  mendedBy: string | null;
  replayedAt: Date | null;
  correlationId: string | null;
  createdAt: Date;
  updatedAt: Date;
}

/** A whole row. */
export interface DeadLetterFullRow extends DeadLetterRow {
  headers: Record<string, unknown> | null;
  contentEncoding: string | null;
  body: Uint8Array | null;
  mendedBody: Uint8Array | null;
  mendedContentType: string | null;
}

/** What a list may be narrowed to; times in milliseconds, `toMs` not included. */
export interface DeadLetterRange {
  topic?: DeadLetterTopic | undefined;
  endpointId?: string | undefined;
  reasonCode?: string | undefined;
  eventType?: string | undefined;
  status?: "OPEN" | "REPLAYED" | undefined;
  fromMs?: number | undefined;
  toMs?: number | undefined;
}

const listColumns = (tx: Transaction) => tx`
  id, topic, endpoint_id as "endpointId", subscription_id as "subscriptionId", receipt_id as "receiptId",
  event_id as "eventId", event_type as "eventType", reason_code as "reasonCode", message, attempts,
  content_type as "contentType", status, mended_body is not null as "isMended", mended_at as "mendedAt",
  mended_by as "mendedBy", replayed_at as "replayedAt", correlation_id as "correlationId",
  created_at as "createdAt", updated_at as "updatedAt"`;

const inRange = (tx: Transaction, range: DeadLetterRange) => tx`
  ${range.topic === undefined ? tx`` : tx`and topic = ${range.topic}`}
  ${range.endpointId === undefined ? tx`` : tx`and endpoint_id = ${range.endpointId}`}
  ${range.reasonCode === undefined ? tx`` : tx`and reason_code = ${range.reasonCode}`}
  ${range.eventType === undefined ? tx`` : tx`and event_type = ${range.eventType}`}
  ${range.fromMs === undefined ? tx`` : tx`and id >= ${floorId(range.fromMs)}`}
  ${range.toMs === undefined ? tx`` : tx`and id < ${floorId(range.toMs)}`}`;

/** A page of the tenant's dead letters that are not deleted, newest first, before the id `beforeId`. */
export async function listDeadLetterRows(
  tx: Transaction,
  tenantId: string,
  page: { limit: number; beforeId: string | undefined },
  range: DeadLetterRange,
): Promise<DeadLetterRow[]> {
  return tx<DeadLetterRow[]>`
    select ${listColumns(tx)} from dead_letters
    where tenant_id = ${tenantId} and ${range.status === undefined ? tx`status <> 'DELETED'` : tx`status = ${range.status}`}
      ${page.beforeId === undefined ? tx`` : tx`and id < ${page.beforeId}`}
      ${inRange(tx, range)}
    order by id desc limit ${page.limit}`;
}

/** The tenant's dead letter with this id, unless it is deleted. */
export async function getDeadLetterRow(
  tx: Transaction,
  tenantId: string,
  id: string,
): Promise<DeadLetterFullRow | undefined> {
  const [row] = await tx<DeadLetterFullRow[]>`
    select ${listColumns(tx)}, headers, content_encoding as "contentEncoding", body, mended_body as "mendedBody",
      mended_content_type as "mendedContentType"
    from dead_letters where tenant_id = ${tenantId} and id = ${id} and status <> 'DELETED'`;
  return row;
}

/**
 * Open dead letters of received webhooks, newest first, for a replay by filter.
 *
 * @param beforeId where the batch before ended
 */
export async function listOpenInbound(
  tx: Transaction,
  tenantId: string,
  page: { limit: number; beforeId: string | undefined },
  range: DeadLetterRange,
): Promise<{ id: string; receiptId: string }[]> {
  return tx<{ id: string; receiptId: string }[]>`
    select id, receipt_id as "receiptId" from dead_letters
    where tenant_id = ${tenantId} and status = 'OPEN' and topic = 'inbound' and receipt_id is not null
      ${page.beforeId === undefined ? tx`` : tx`and id < ${page.beforeId}`}
      ${inRange(tx, range)}
    order by id desc limit ${page.limit}`;
}

/** Sets or, with null, takes back the mended body of an open dead letter. @returns false when it is not open any more */
export async function saveMendedBody(
  tx: Transaction,
  tenantId: string,
  id: string,
  mended: { body: Uint8Array; contentType: string | null; by: string } | null,
): Promise<boolean> {
  const rows = await tx`
    update dead_letters
    set mended_body = ${mended?.body ?? null}, mended_content_type = ${mended?.contentType ?? null},
      mended_at = ${mended === null ? null : tx`now()`}, mended_by = ${mended?.by ?? null}, updated_at = now()
    where tenant_id = ${tenantId} and id = ${id} and status = 'OPEN' returning id`;
  return rows.length === 1;
}

/** Notes that an open dead letter was dealt with. @returns false when it is not open any more */
export async function markDeadLetterReplayed(
  tx: Transaction,
  tenantId: string,
  id: string,
): Promise<boolean> {
  const rows = await tx`
    update dead_letters set status = 'REPLAYED', replayed_at = now(), updated_at = now()
    where tenant_id = ${tenantId} and id = ${id} and status = 'OPEN' returning id`;
  return rows.length === 1;
}

/** Takes an open dead letter off the list for good. @returns false when it is not open any more */
export async function markDeadLetterDeleted(tx: Transaction, tenantId: string, id: string): Promise<boolean> {
  const rows = await tx`
    update dead_letters set status = 'DELETED', updated_at = now()
    where tenant_id = ${tenantId} and id = ${id} and status = 'OPEN' returning id`;
  return rows.length === 1;
}
