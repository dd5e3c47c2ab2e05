import type { Transaction } from "../context.ts";

/** Envelope level that a control number belongs to: ISA13, GS06 or ST02. */
export type Envelope = "ISA" | "GS" | "ST";

/** ISA13 and GS06 have nine digits; the number after the last one is 1. */
const CONTROL_NUMBER_MAX = 999_999_999;

/** Rows over the window that one call takes away, so that the table stays as large as the window. */
const EXPIRED_ROWS_MAX = 100;

/**
 * Takes the next `count` control numbers of a partner. The row stays locked until the caller's transaction ends: others
 * wait, and a rollback gives the numbers back, so that none is missing and none is used twice.
 *
 * @returns the numbers in order; after 999,999,999 they begin with 1
 * @throws PostgresError 23503 for a partner that the tenant does not have
 */
export async function takeControlNumbers(
  tx: Transaction,
  input: { tenantId: string; partnerId: string; envelope: Envelope; count: number },
): Promise<number[]> {
  const { tenantId, partnerId, envelope, count } = input;
  const [row] = await tx<{ last: string }[]>`
    insert into x12_control_numbers as numbers (tenant_id, partner_id, envelope, last_number)
    values (${tenantId}, ${partnerId}, ${envelope}, ${count})
    on conflict (tenant_id, partner_id, envelope) do update
      set last_number = (numbers.last_number + ${count} - 1) % ${CONTROL_NUMBER_MAX} + 1, updated_at = now()
    returning last_number as last`;
  const last = Number(row!.last);
  return Array.from({ length: count }, (_, index) => {
    const number = last - count + 1 + index;
    return number >= 1 ? number : number + CONTROL_NUMBER_MAX;
  });
}

/** The last numbers that partners used; 0 for an envelope that was never written. */
export async function readControlNumbers(
  tx: Transaction,
  tenantId: string,
  partnerIds: readonly string[],
): Promise<Map<string, Record<Envelope, number>>> {
  const found = new Map(partnerIds.map((id) => [id, { ISA: 0, GS: 0, ST: 0 }]));
  const rows = await tx<{ partnerId: string; envelope: Envelope; last: string }[]>`
    select partner_id as "partnerId", envelope, last_number as last from x12_control_numbers
    where tenant_id = ${tenantId} and partner_id = any(${partnerIds as string[]}::text[]::uuid[])`;
  for (const { partnerId, envelope, last } of rows) found.get(partnerId)![envelope] = Number(last);
  return found;
}

/** Sets last used numbers, as when a partner was served by another system before. */
export async function setControlNumbers(
  tx: Transaction,
  input: { tenantId: string; partnerId: string; numbers: Partial<Record<Envelope, number>> },
): Promise<void> {
  for (const [envelope, last] of Object.entries(input.numbers)) {
    await tx`
      insert into x12_control_numbers (tenant_id, partner_id, envelope, last_number)
      values (${input.tenantId}, ${input.partnerId}, ${envelope}, ${last})
      on conflict (tenant_id, partner_id, envelope) do update set last_number = excluded.last_number, updated_at = now()`;
  }
}

/** What identifies an interchange: ISA05 to ISA08 and ISA13. */
export interface InterchangeKey {
  sender: { qualifier: string; id: string };
  receiver: { qualifier: string; id: string };
  controlNumber: string;
}

/**
 * Remembers that an interchange was read. Of two transactions with the same one the second waits for the first.
 *
 * @param input.sourceId what brought it, such as the receipt: the same source again is no duplicate
 * @param input.windowSeconds after this time the same number is a new interchange
 * @returns the source that brought it first; null when it is new
 */
export async function rememberInterchange(
  tx: Transaction,
  input: { tenantId: string; key: InterchangeKey; sourceId: string; now: Date; windowSeconds: number },
): Promise<{ duplicateOf: string } | null> {
  const { tenantId, key, sourceId, now } = input;
  const expired = new Date(now.getTime() - input.windowSeconds * 1_000);
  await tx`
    delete from x12_interchanges where ctid in (
      select ctid from x12_interchanges
      where tenant_id = ${tenantId} and received_at < ${expired}
      order by received_at limit ${EXPIRED_ROWS_MAX} for update skip locked)`;
  const [row] = await tx<{ sourceId: string }[]>`
    insert into x12_interchanges as seen (tenant_id, sender_qualifier, sender_id, receiver_qualifier, receiver_id,
                                          control_number, source_id, received_at)
    values (${tenantId}, ${key.sender.qualifier}, ${key.sender.id}, ${key.receiver.qualifier}, ${key.receiver.id},
            ${key.controlNumber}, ${sourceId}, ${now})
    on conflict (tenant_id, sender_qualifier, sender_id, receiver_qualifier, receiver_id, control_number) do update
      set source_id = case when seen.received_at < ${expired} then excluded.source_id else seen.source_id end,
          received_at = case when seen.received_at < ${expired} then excluded.received_at else seen.received_at end
    returning source_id as "sourceId"`;
  return row!.sourceId === sourceId ? null : { duplicateOf: row!.sourceId };
}
