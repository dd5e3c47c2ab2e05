import type { Sql } from "../../platform/postgres/client.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { Transaction } from "../context.ts";
import { openSecret } from "../vault/open-secret.ts";
import { sealSecret } from "../vault/seal-secret.ts";
import type { SecretPlace } from "../vault/sealed-format.ts";

/** Whose journal it is. */
export interface JournalOwner {
  id: string;
  tenantId: string;
}

/** A refresh that was begun and of which nobody wrote the end. */
export interface OpenRefresh {
  id: string;
  state: "STARTED" | "ANSWERED";
  startedMs: number;
  baseVersion: number;
}

/** What the journal tells of an integration's tokens as they are now. */
export interface JournalFacts {
  open: OpenRefresh | undefined;
  /** Failures since the tokens were stored, in a row. */
  failures: number;
  /** Not before this time again. */
  retryAtMs: number | undefined;
  /** First request with the tokens of now whose answer is lost. */
  lostSinceMs: number | undefined;
  /** When tokens were last given. */
  givenAtMs: number | undefined;
  /** Requests to the token endpoint within the window that was asked for. */
  sentAtMs: number[];
}

/** Code of a journal row whose answer nobody heard. */
export const LOST_ANSWER = "answer_lost";

/**
 * Reads what the journal tells of tokens of this version (role hub_system).
 *
 * @param windowSeconds of the token endpoint's own limit; 0 where there is none
 */
export async function readJournal(
  sql: Sql,
  owner: JournalOwner & { version: number },
  windowSeconds: number,
): Promise<JournalFacts> {
  const [row] = await sql<
    {
      open: OpenRefresh | null;
      failures: number;
      retryAtMs: number | null;
      lostSinceMs: number | null;
      givenAtMs: number | null;
      sentAtMs: number[] | null;
    }[]
  >`
    with own as (
      select *, extract(epoch from created_at) * 1000 as started_ms from oauth_refresh_journal
      where tenant_id = ${owner.tenantId} and integration_id = ${owner.id} and kind <> 'REVOKE'
    ), now_ones as (select * from own where kind = 'REFRESH' and base_version = ${owner.version})
    select
      (select json_build_object('id', id, 'state', state, 'startedMs', started_ms, 'baseVersion', base_version)
        from own where kind = 'REFRESH' and state in ('STARTED', 'ANSWERED') limit 1) as open,
      (select count(*)::float8 from now_ones where state = 'FAILED') as failures,
      (select extract(epoch from max(retry_at))::float8 * 1000 from now_ones where state = 'FAILED') as "retryAtMs",
      (select min(started_ms)::float8 from now_ones where state = 'FAILED' and error_code = ${LOST_ANSWER})
        as "lostSinceMs",
      (select extract(epoch from max(updated_at))::float8 * 1000 from own where state = 'STORED') as "givenAtMs",
      (select array_agg(started_ms::float8 order by started_ms) from own
        where created_at > now() - make_interval(secs => ${windowSeconds})) as "sentAtMs"`;
  return {
    open: row!.open ?? undefined,
    failures: row!.failures,
    retryAtMs: row!.retryAtMs ?? undefined,
    lostSinceMs: row!.lostSinceMs ?? undefined,
    givenAtMs: row!.givenAtMs ?? undefined,
    sentAtMs: row!.sentAtMs ?? [],
  };
}

/** Writes, before a request leaves, that it is about to; a second one of the same integration raises 23505. */
export async function insertStarted(
  tx: Transaction,
  row: JournalOwner & { journalId: string; grantType: string; version: number; fence: number },
): Promise<void> {
  await tx`
    insert into oauth_refresh_journal (id, tenant_id, integration_id, kind, grant_type, base_version, fence, attempts)
    values (${row.journalId}, ${row.tenantId}, ${row.id}, 'REFRESH', ${row.grantType}, ${row.version}, ${row.fence}, 1)`;
}

/** Notes that a code was traded for tokens, which counts for the token endpoint's limit. */
export async function insertLogin(
  tx: Transaction,
  row: JournalOwner & { journalId: string; version: number },
): Promise<void> {
  await tx`
    insert into oauth_refresh_journal (id, tenant_id, integration_id, kind, grant_type, base_version, state, attempts)
    values (${row.journalId}, ${row.tenantId}, ${row.id}, 'LOGIN', 'authorization_code', ${row.version}, 'STORED', 1)`;
}

/** What an answer brought, as it stands in the journal until it is stored. */
export interface JournalledTokens {
  values: Record<string, string>;
  derived: Record<string, string>;
  expiresAtMs: number | null;
  refreshAtMs: number | null;
  /** Of a person's log-in. */
  login?: { atMs: number; endsAtMs: number | null; warnAtMs: number | null; isFixed: boolean };
}

/**
 * Writes what came, sealed, before it replaces anything.
 *
 * @returns false when the row was closed meanwhile by another holder
 */
export async function writeAnswered(
  runtime: Runtime,
  row: JournalOwner & { journalId: string },
  tokens: JournalledTokens,
): Promise<boolean> {
  const sql = runtime.sqlSystem;
  const sealed = await sealSecret(runtime, sql, journalPlace(row), JSON.stringify(tokens));
  const { count } = await sql`
    update oauth_refresh_journal set state = 'ANSWERED', tokens_sealed = ${sealed}, updated_at = now(),
      oauth_expires_at = ${tokens.expiresAtMs === null ? null : new Date(tokens.expiresAtMs)}
    where id = ${row.journalId} and state = 'STARTED'`;
  return count > 0;
}

/** Opens what came with an answer that was not stored. */
export async function openAnswered(
  runtime: Runtime,
  tx: Transaction,
  row: JournalOwner & { journalId: string },
): Promise<JournalledTokens | undefined> {
  const [found] = await tx<{ sealed: string | null }[]>`
    select tokens_sealed as sealed from oauth_refresh_journal
    where id = ${row.journalId} and tenant_id = ${row.tenantId} and state = 'ANSWERED' for update`;
  if (found?.sealed == null) return undefined;
  return JSON.parse(await openSecret(runtime, tx, journalPlace(row), found.sealed)) as JournalledTokens;
}

/** Closes a row; what it held is in its place, or void. */
export async function closeJournal(
  sql: Sql | Transaction,
  journalId: string,
  end: { state: "STORED" } | { state: "FAILED"; code: string; message: string; retryAt?: Date | null },
): Promise<void> {
  const failed = end.state === "FAILED" ? end : undefined;
  await sql`
    update oauth_refresh_journal set state = ${end.state}, tokens_sealed = null, updated_at = now(),
      error_code = ${failed?.code ?? null}, error_message = ${failed?.message.slice(0, 1_000) ?? null},
      retry_at = ${failed?.retryAt ?? null}
    where id = ${journalId} and state in ('STARTED', 'ANSWERED')`;
}

/** Latest end of a refresh of these tokens, for those who wait for it. */
export async function latestFailure(
  sql: Sql,
  owner: JournalOwner,
  sinceMs: number,
): Promise<{ code: string; retryAt: Date | null } | undefined> {
  const [row] = await sql<{ code: string; retryAt: Date | null }[]>`
    select coalesce(error_code, 'failed') as code, retry_at as "retryAt" from oauth_refresh_journal
    where tenant_id = ${owner.tenantId} and integration_id = ${owner.id} and kind = 'REFRESH' and state = 'FAILED'
      and updated_at > ${new Date(sinceMs)}
    order by id desc limit 1`;
  return row;
}

/** Integrations whose tokens are due, or whose last refresh was left open by a process that died; earliest first. */
export async function findDue(
  sql: Sql,
  input: { now: Date; abandonedBefore: Date; limit: number },
): Promise<{ id: string; tenantId: string; dueAt: Date }[]> {
  return sql<{ id: string; tenantId: string; dueAt: Date }[]>`
    select id, tenant_id as "tenantId", min(due_at) as "dueAt" from (
      (select id, tenant_id, oauth_refresh_at as due_at from integrations
        where oauth_refresh_at <= ${input.now} and oauth_tokens is not null and deleted_at is null
          and status in ('ACTIVE', 'ERROR')
        order by oauth_refresh_at limit ${input.limit})
      union all
      (select i.id, i.tenant_id, j.updated_at from oauth_refresh_journal j join integrations i on i.id = j.integration_id
        where j.kind = 'REFRESH' and j.state in ('STARTED', 'ANSWERED') and j.updated_at < ${input.abandonedBefore}
          and i.deleted_at is null
        limit ${input.limit})
    ) due group by id, tenant_id order by min(due_at)`;
}

/** Deletes closed rows and sessions that are over. */
export async function deleteOld(
  sql: Sql,
  input: { journalBefore: Date; sessionsBefore: Date },
): Promise<number> {
  const journal = await sql`
    delete from oauth_refresh_journal where created_at < ${input.journalBefore} and state in ('STORED', 'FAILED')`;
  const sessions = await sql`delete from oauth_sessions where expires_at < ${input.sessionsBefore}`;
  return journal.count + sessions.count;
}

/** Where a journal row's sealed text stands. */
export function journalPlace({ tenantId, journalId }: { tenantId: string; journalId: string }): SecretPlace {
  return { tenantId, table: "oauth_refresh_journal", rowId: journalId, column: "tokens_sealed" };
}
