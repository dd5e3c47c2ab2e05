import { openSecret } from "../../src/domain/vault/open-secret.ts";
import { sealSecret } from "../../src/domain/vault/seal-secret.ts";
import { SEALED_COLUMNS } from "../../src/domain/vault/sealed-columns.ts";
import type { SecretPlace } from "../../src/domain/vault/sealed-format.ts";
import type { Runtime } from "../../src/platform/runtime.ts";
import { newId, timeOfId } from "../../src/platform/uuid.ts";

/** One sealed text and what is in it: its own name. */
export interface PlacedSecret {
  column: string;
  name: string;
  place: SecretPlace;
  sealed: string;
}

const EXPIRES_AT = "2100-01-01T00:00:00.000Z";

/** Fills each column with secrets of a tenant: one row a table, and `endpoints` rows of endpoints. */
export async function fillSealedColumns(runtime: Runtime, tenantId: string, endpoints = 1): Promise<void> {
  const sql = runtime.sqlSystem;
  const seal = (table: string, rowId: string, column: string, path?: string): Promise<string> =>
    sealSecret(
      runtime,
      sql,
      { tenantId, table, rowId, column, ...(path === undefined ? {} : { path }) },
      nameOf(table, column, rowId, path),
    );
  const integrationId = newId();
  const ids = {
    subscription: newId(),
    session: newId(),
    journal: newId(),
    answer: newId(),
    rejection: newId(),
    provider: newId(),
  };
  await sql`
    insert into integration_providers (id, tenant_id, code, name, category, config_schema, auth_type)
    values (${ids.provider}, ${tenantId}, ${`P${ids.provider}`}, 'P', 'CRM', '{}', 'NONE')`;
  const config = {
    region: "us",
    odd: null,
    password: { sealed: await seal("integrations", integrationId, "config", "/password"), last4: null },
    apiKey: { last4: "abcd" },
  };
  const tokens = {
    accessToken: await seal("integrations", integrationId, "oauth_tokens", "/accessToken"),
    refreshToken: await seal("integrations", integrationId, "oauth_tokens", "/refreshToken"),
  };
  await sql`
    insert into integrations (id, tenant_id, provider_id, name, config, auth_type, api_key_encrypted, oauth_tokens)
    values (${integrationId}, ${tenantId}, ${ids.provider}, 'I', ${sql.json(config)}, 'NONE',
      ${await seal("integrations", integrationId, "api_key_encrypted")}, ${sql.json(tokens)})`;
  for (let n = 0; n < endpoints; n++) {
    const id = newId();
    const previous = [
      { sealed: await seal("webhook_endpoints", id, "previous_secrets", EXPIRES_AT), expiresAt: EXPIRES_AT },
    ];
    await sql`
      insert into webhook_endpoints (id, tenant_id, endpoint_path, secret_key, handler_type, previous_secrets)
      values (${id}, ${tenantId}, ${id}, ${await seal("webhook_endpoints", id, "secret_key")}, 'CUSTOM', ${sql.json(previous)})`;
  }
  const { subscription } = ids;
  const auth = {
    username: "plain",
    password: await seal("webhook_subscriptions", subscription, "auth_config", "/password"),
  };
  const previous = [
    {
      sealed: await seal("webhook_subscriptions", subscription, "previous_secrets", EXPIRES_AT),
      expiresAt: EXPIRES_AT,
    },
  ];
  await sql`
    insert into webhook_subscriptions (id, tenant_id, name, url, auth_type, auth_config, secret_key, previous_secrets)
    values (${subscription}, ${tenantId}, 'S', 'https://example.com', 'BASIC', ${sql.json(auth)},
      ${await seal("webhook_subscriptions", subscription, "secret_key")}, ${sql.json(previous)})`;
  await sql`
    insert into oauth_sessions (id, tenant_id, integration_id, ticket_hash, state_hash, verifier_sealed, redirect_uri,
      actor_type, actor_id, expires_at)
    values (${ids.session}, ${tenantId}, ${integrationId}, ${ids.session}, ${ids.session},
      ${await seal("oauth_sessions", ids.session, "verifier_sealed")}, 'https://example.com', 'user', 'u', now())`;
  await sql`
    insert into oauth_refresh_journal (id, tenant_id, integration_id, tokens_sealed)
    values (${ids.journal}, ${tenantId}, ${integrationId},
      ${await seal("oauth_refresh_journal", ids.journal, "tokens_sealed")})`;
  await sql`
    insert into idempotency_keys (tenant_id, key, request_hash, id, response_sealed)
    values (${tenantId}, 'k', 'h', ${ids.answer}, ${await seal("idempotency_keys", ids.answer, "response_sealed")})`;
  await sql`
    insert into rejected_requests (id, tenant_id, reason_code, response_status, raw_sealed, created_at)
    values (${ids.rejection}, ${tenantId}, 'signature_invalid', 401,
      ${await seal("rejected_requests", ids.rejection, "raw_sealed")}, ${new Date(timeOfId(ids.rejection))})`;
}

/** Every secret of the tenant as it stands in the database. */
export async function secretsOf(runtime: Runtime, tenantId: string): Promise<PlacedSecret[]> {
  const sql = runtime.sqlSystem;
  const secrets: PlacedSecret[] = [];
  for (const { table, column, form } of SEALED_COLUMNS) {
    const rows = await sql<{ id: string; value: unknown }[]>`
      select id, ${sql(column)} as value from ${sql(table)}
      where tenant_id = ${tenantId} and ${sql(column)} is not null order by id`;
    const put = (rowId: string, sealed: string, path?: string): void => {
      const place = { tenantId, table, rowId, column, ...(path === undefined ? {} : { path }) };
      secrets.push({ column: `${table}.${column}`, name: nameOf(table, column, rowId, path), place, sealed });
    };
    for (const { id, value } of rows) {
      if (form === "text") put(id, value as string);
      else if (form === "list")
        for (const entry of value as { sealed: string; expiresAt: string }[])
          put(id, entry.sealed, entry.expiresAt);
      else
        for (const [name, entry] of Object.entries(value as Record<string, unknown>)) {
          const sealed = form === "values" ? entry : (entry as { sealed?: string } | null)?.sealed;
          if (typeof sealed === "string" && sealed.length > 50) put(id, sealed, `/${name}`);
        }
    }
  }
  return secrets;
}

/** Opens it where it stands. */
export function readSecret(runtime: Runtime, { place, sealed }: PlacedSecret): Promise<string> {
  return openSecret(runtime, runtime.sqlSystem, place, sealed);
}

function nameOf(table: string, column: string, rowId: string, path = ""): string {
  return `${table}.${column}${path} of ${rowId}`;
}
