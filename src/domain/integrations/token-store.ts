import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import type { VaultRuntime } from "../vault/data-key.ts";
import { openSecret } from "../vault/open-secret.ts";
import { sealSecret } from "../vault/seal-secret.ts";
import type { SecretPlace } from "../vault/sealed-format.ts";
import { INTEGRATION_TABLE } from "./secret-fields.ts";

/** Tokens of an integration, open. */
export interface OpenTokens {
  /** `accessToken`, `refreshToken`, … by name; empty when there are none. */
  values: Record<string, string>;
  /** End of the access token. */
  expiresAt: Date | null;
  /** For `storeTokens`: the version that was read. */
  version: number;
}

interface TokenRow {
  oauthTokens: Record<string, string> | null;
  oauthExpiresAt: Date | null;
  oauthVersion: number;
}

/** Tokens whose manifest says no other time are replaced this long before their end (specification, business rule 3). */
const MARGIN_MS = 300_000;

/** An end that the provider tells in seconds from now wanders a little. */
const SAME_END_SECONDS = 3_600;

/** When the worker replaces tokens of which only the end is known. */
export function refreshTimeOf(expiresAt: Date | null): Date | null {
  return expiresAt === null ? null : new Date(expiresAt.getTime() - MARGIN_MS);
}

/** Seals tokens for their row, each for the path of its name. */
export async function sealTokens(
  runtime: VaultRuntime,
  sql: Sql | Transaction,
  row: { id: string; tenantId: string },
  tokens: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const sealed: Record<string, string> = {};
  for (const [name, token] of Object.entries(tokens)) {
    // oxlint-disable-next-line no-await-in-loop -- the tenant's key is in memory after the first
    sealed[name] = await sealSecret(runtime, sql, placeOf(row, name), token);
  }
  return sealed;
}

/**
 * Opens the tokens of a row that was read.
 *
 * @throws VaultError when one cannot be opened
 */
export async function openTokens(
  runtime: VaultRuntime,
  sql: Sql | Transaction,
  row: { id: string; tenantId: string } & TokenRow,
): Promise<OpenTokens> {
  const values: Record<string, string> = {};
  for (const [name, sealed] of Object.entries(row.oauthTokens ?? {})) {
    // oxlint-disable-next-line no-await-in-loop -- the tenant's key is in memory after the first
    values[name] = await openSecret(runtime, sql, placeOf(row, name), sealed);
  }
  return { values, expiresAt: row.oauthExpiresAt, version: row.oauthVersion };
}

/** Reads and opens the tokens as they are now; undefined when the integration is deleted. */
export async function readTokens(
  runtime: VaultRuntime,
  sql: Sql | Transaction,
  owner: { id: string; tenantId: string },
): Promise<OpenTokens | undefined> {
  const [row] = await sql<TokenRow[]>`
    select oauth_tokens as "oauthTokens", oauth_expires_at as "oauthExpiresAt", oauth_version::float8 as "oauthVersion"
    from integrations where tenant_id = ${owner.tenantId} and id = ${owner.id} and deleted_at is null`;
  return row === undefined ? undefined : openTokens(runtime, sql, { ...owner, ...row });
}

/** A person's log-in, as its tokens are stored. */
export interface StoredLogin {
  at: Date;
  endsAt: Date | null;
  warnAt: Date | null;
  /** The end does not move with refreshes. */
  isFixed: boolean;
}

/**
 * Stores tokens, if nobody stored others since they were read (compare-and-set on `oauth_version`). The caller calls
 * `announceTokens` after the commit.
 *
 * @param input.values null: the tokens are void and forgotten
 * @param input.derived what the log-in told besides: values of derived fields, such as a realm
 * @returns the new version, undefined when another one was there or the integration is deleted
 */
export async function storeTokens(
  runtime: VaultRuntime,
  tx: Transaction,
  input: {
    id: string;
    tenantId: string;
    version: number;
    values: Readonly<Record<string, string>> | null;
    expiresAt: Date | null;
    /** When the worker replaces them; five minutes before their end when left out. */
    refreshAt?: Date | null;
    derived?: Readonly<Record<string, string>>;
    /** Of a person's log-in; what is stored of it stays when left out, and goes with void tokens. */
    login?: StoredLogin;
  },
): Promise<number | undefined> {
  const { expiresAt, refreshAt = refreshTimeOf(expiresAt) } = input;
  const login = input.values === null ? NO_LOGIN : input.login;
  const sealed = input.values === null ? null : tx.json(await sealTokens(runtime, tx, input, input.values));
  const [row] = await tx<{ version: number }[]>`
    update integrations set oauth_tokens = ${sealed}, oauth_expires_at = ${expiresAt}, oauth_refresh_at = ${refreshAt},
      config = config || ${tx.json(input.derived ?? {})}, oauth_version = oauth_version + 1,
      ${login === undefined ? tx`` : setLogin(tx, login)}
      config_version = config_version + ${input.derived === undefined ? 0 : 1}::int, updated_at = now()
    where tenant_id = ${input.tenantId} and id = ${input.id} and deleted_at is null and oauth_version = ${input.version}
    returning oauth_version::float8 as version`;
  return row?.version;
}

const NO_LOGIN = { at: null, endsAt: null, warnAt: null, isFixed: false };

/** A fixed end keeps its next warning: else each refresh would be told of anew. */
function setLogin(tx: Transaction, login: StoredLogin | typeof NO_LOGIN) {
  const { at, endsAt, warnAt, isFixed } = login;
  return tx`
    oauth_login_at = ${at}, oauth_login_ends_at = ${endsAt}::timestamptz,
    oauth_login_warn_at = case
      when ${isFixed}::boolean and oauth_login_at = ${at}::timestamptz
        and abs(extract(epoch from oauth_login_ends_at - ${endsAt}::timestamptz)) < ${SAME_END_SECONDS}::int
      then oauth_login_warn_at else ${warnAt}::timestamptz end,`;
}

/** Log-ins whose end is to be told of now, locked; the earliest first (role hub_system). */
export async function findEndingLogins(
  tx: Transaction,
  input: { now: Date; limit: number },
): Promise<
  { id: string; tenantId: string; name: string; providerCode: string; environment: string; endsAt: Date }[]
> {
  return tx`
    select i.id, i.tenant_id as "tenantId", i.name, p.code as "providerCode", i.environment,
      i.oauth_login_ends_at as "endsAt"
    from integrations i join integration_providers p on p.id = i.provider_id
    where i.oauth_login_warn_at <= ${input.now} and i.oauth_login_ends_at > ${input.now} and i.deleted_at is null
    order by i.oauth_login_warn_at limit ${input.limit} for update of i skip locked`;
}

/** When the end of a log-in is told of again; null: not any more. */
export async function saveNextWarning(tx: Transaction, id: string, warnAt: Date | null): Promise<void> {
  await tx`update integrations set oauth_login_warn_at = ${warnAt} where id = ${id}`;
}

/** Corrects when tokens of this version end and are replaced (role hub_system). */
export async function saveTokenEnd(
  sql: Sql,
  input: { id: string; version: number; expiresAt: Date | null; refreshAt: Date | null },
): Promise<void> {
  await sql`
    update integrations set oauth_expires_at = ${input.expiresAt}, oauth_refresh_at = ${input.refreshAt}
    where id = ${input.id} and oauth_version = ${input.version} and deleted_at is null`;
}

/** Tells the worker to leave tokens alone until later; without effect on tokens that are not replaced by it. */
export async function postponeRefresh(
  sql: Sql | Transaction,
  owner: { id: string; tenantId: string },
  until: Date,
): Promise<void> {
  await sql`
    update integrations set oauth_refresh_at = ${until}
    where tenant_id = ${owner.tenantId} and id = ${owner.id} and oauth_refresh_at is not null`;
}

function placeOf({ id, tenantId }: { id: string; tenantId: string }, name: string): SecretPlace {
  return { tenantId, table: INTEGRATION_TABLE, rowId: id, column: "oauth_tokens", path: `/${name}` };
}
