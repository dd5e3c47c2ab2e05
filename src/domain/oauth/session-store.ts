import { createHash } from "node:crypto";
import type { Sql } from "../../platform/postgres/client.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { Actor, Transaction } from "../context.ts";
import { openSecret } from "../vault/open-secret.ts";
import { sealSecret } from "../vault/seal-secret.ts";
import type { AccountChoice } from "./ask-accounts.ts";
import type { SecretPlace } from "../vault/sealed-format.ts";

/** A log-in has to be finished within this time. */
export const SESSION_MS = 10 * 60_000;

/** A log-in in a browser, from `authorize` to the provider's redirect. */
export interface OAuthSession {
  id: string;
  tenantId: string;
  integrationId: string;
  redirectUri: string;
  scopes: string[];
  actorType: Actor["type"];
  actorId: string;
  browserHash: string | null;
  verifierSealed: string | null;
  expiresAt: Date;
  usedAt: Date | null;
  /** Accounts among which its person still has to choose. */
  choice: AccountChoice | null;
}

/** What only this log-in needs: the PKCE verifier once the ticket was opened, and one-time values. */
export interface SessionSecrets {
  verifier?: string;
  oneTime: Record<string, string>;
}

/** Tickets, states and cookies are 256 random bits: their plain hash cannot be guessed from. */
export function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}

const columns = (sql: Sql | Transaction) => sql`
  id, tenant_id as "tenantId", integration_id as "integrationId", redirect_uri as "redirectUri", scopes,
  actor_type as "actorType", actor_id as "actorId", browser_hash as "browserHash", verifier_sealed as "verifierSealed",
  expires_at as "expiresAt", used_at as "usedAt", choice`;

/** Stores a new log-in; of its ticket only the hash. */
export async function insertSession(
  tx: Transaction,
  session: Pick<
    OAuthSession,
    | "id"
    | "tenantId"
    | "integrationId"
    | "redirectUri"
    | "scopes"
    | "actorType"
    | "actorId"
    | "verifierSealed"
    | "expiresAt"
  > & { ticketHash: string },
): Promise<void> {
  await tx`
    insert into oauth_sessions (id, tenant_id, integration_id, ticket_hash, verifier_sealed, redirect_uri, scopes,
      actor_type, actor_id, expires_at)
    values (${session.id}, ${session.tenantId}, ${session.integrationId}, ${session.ticketHash},
      ${session.verifierSealed}, ${session.redirectUri}, ${session.scopes}, ${session.actorType}, ${session.actorId},
      ${session.expiresAt})`;
}

/** The log-in of a ticket or of a state (role hub_system: a browser has no tenant). */
export async function findSession(
  sql: Sql,
  by: { ticketHash: string } | { stateHash: string },
): Promise<OAuthSession | undefined> {
  const [row] = await sql<OAuthSession[]>`
    select ${columns(sql)} from oauth_sessions
    where ${"ticketHash" in by ? sql`ticket_hash = ${by.ticketHash}` : sql`state_hash = ${by.stateHash}`}`;
  return row;
}

/** The log-in with this id (role hub_system). */
export async function findSessionById(sql: Sql, id: string): Promise<OAuthSession | undefined> {
  const [row] = await sql<OAuthSession[]>`select ${columns(sql)} from oauth_sessions where id = ${id}`;
  return row;
}

/** Keeps what the person of a log-in is to choose from. */
export async function offerChoice(
  sql: Sql,
  id: string,
  choice: AccountChoice,
  expiresAt: Date,
): Promise<void> {
  await sql`
    update oauth_sessions set choice = ${sql.json(choice as never)}, expires_at = ${expiresAt} where id = ${id}`;
}

/**
 * Uses a choice up.
 *
 * @returns false when somebody was first
 */
export async function takeChoice(sql: Sql, input: { id: string; field: string }): Promise<boolean> {
  const { count } = await sql`
    update oauth_sessions set choice = null where id = ${input.id} and choice ->> 'field' = ${input.field}`;
  return count > 0;
}

/**
 * Binds a log-in to the browser that opened its ticket. The same browser may open it again, which makes the state of its
 * first tab void; another one may not.
 *
 * @param input.presentedHash of the cookie that came; undefined: none
 * @returns false when another browser was first, or it is over
 */
export async function bindSession(
  sql: Sql,
  input: {
    id: string;
    presentedHash: string | undefined;
    browserHash: string;
    stateHash: string;
    verifierSealed: string;
    now: Date;
  },
): Promise<boolean> {
  const { count } = await sql`
    update oauth_sessions set browser_hash = ${input.browserHash}, state_hash = ${input.stateHash},
      verifier_sealed = ${input.verifierSealed}
    where id = ${input.id} and used_at is null and expires_at > ${input.now}
      and (browser_hash is null or browser_hash = ${input.presentedHash ?? null}::text)`;
  return count > 0;
}

/**
 * Uses a state up, for whatever comes of it.
 *
 * @returns false when somebody was first, or it is over
 */
export async function useSession(
  sql: Sql,
  input: { id: string; stateHash: string; now: Date },
): Promise<boolean> {
  const { count } = await sql`
    update oauth_sessions set used_at = ${input.now}, verifier_sealed = null
    where id = ${input.id} and state_hash = ${input.stateHash} and used_at is null and expires_at > ${input.now}`;
  return count > 0;
}

/** Seals what only this log-in needs. */
export function sealSession(
  runtime: Runtime,
  sql: Sql | Transaction,
  session: { id: string; tenantId: string },
  secrets: SessionSecrets,
): Promise<string> {
  return sealSecret(runtime, sql, placeOf(session), JSON.stringify(secrets));
}

/**
 * Opens it.
 *
 * @throws VaultError when it cannot be opened
 */
export async function openSession(
  runtime: Runtime,
  sql: Sql,
  session: Pick<OAuthSession, "id" | "tenantId" | "verifierSealed">,
): Promise<SessionSecrets> {
  if (session.verifierSealed === null) return { oneTime: {} };
  return JSON.parse(
    await openSecret(runtime, sql, placeOf(session), session.verifierSealed),
  ) as SessionSecrets;
}

function placeOf({ id, tenantId }: { id: string; tenantId: string }): SecretPlace {
  return { tenantId, table: "oauth_sessions", rowId: id, column: "verifier_sealed" };
}
