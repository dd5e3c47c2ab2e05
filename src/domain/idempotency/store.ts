import type { Transaction } from "../context.ts";

/** A remembered answer. */
export interface RememberedAnswer {
  id: string;
  requestHash: string;
  sealed: string;
}

/** Takes the key for the rest of the transaction; false while another transaction has it. */
export async function tryLockKey(tx: Transaction, tenantId: string, key: string): Promise<boolean> {
  const [row] = await tx<{ locked: boolean }[]>`
    select pg_try_advisory_xact_lock(hashtextextended(${`idempotency/${tenantId}/${key}`}, 0)) as locked`;
  return row!.locked;
}

/** The answer under a key, unless its time is over. */
export async function findAnswer(
  tx: Transaction,
  tenantId: string,
  key: string,
  now: Date,
): Promise<RememberedAnswer | undefined> {
  const [row] = await tx<RememberedAnswer[]>`
    select id, request_hash as "requestHash", response_sealed as sealed from idempotency_keys
    where tenant_id = ${tenantId} and key = ${key} and expires_at > ${now}`;
  return row;
}

/** Remembers an answer, in the place of one whose time is over. */
export async function saveAnswer(
  tx: Transaction,
  answer: RememberedAnswer & { tenantId: string; key: string; expiresAt: Date },
): Promise<void> {
  await tx`
    insert into idempotency_keys (tenant_id, key, request_hash, id, response_sealed, expires_at)
    values (${answer.tenantId}, ${answer.key}, ${answer.requestHash}, ${answer.id}, ${answer.sealed}, ${answer.expiresAt})
    on conflict (tenant_id, key) do update
      set request_hash = excluded.request_hash, id = excluded.id, response_sealed = excluded.response_sealed,
          expires_at = excluded.expires_at`;
}
