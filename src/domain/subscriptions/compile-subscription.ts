import type { Runtime } from "../../platform/runtime.ts";
import { openSecret } from "../vault/open-secret.ts";
import { AUTH_SECRET_FIELD, type SubscriptionAuth } from "./auth-config.ts";
import type { CompiledSubscription, SubscriptionEntry } from "./compiled-subscription.ts";
import { compileFilter } from "./event-filter.ts";
import { SIGNATURE_FORM_DEFAULT } from "./signature-form.ts";
import { signingSecretFault } from "./signing-secret.ts";
import type { SubscriptionIndexRow, SubscriptionRow } from "./store.ts";

/** Table of the sealed secrets' places. */
export const SUBSCRIPTION_TABLE = "webhook_subscriptions";

/** The part that fan-out holds in memory. */
export function compileEntry(
  tenantId: string,
  row: Omit<SubscriptionIndexRow, "isDeleted">,
): SubscriptionEntry {
  const compiled = row.filter === null ? undefined : compileFilter(row.filter);
  return {
    id: row.id,
    tenantId,
    status: row.status,
    orderingMode: row.orderingMode,
    eventTypes: row.eventTypes,
    // A stored filter compiled when it was saved; one that does not any more must not let everything through.
    filter: compiled === undefined ? undefined : compiled.ok ? compiled.test : () => false,
    version: row.changedAt.getTime(),
  };
}

/**
 * Makes a row ready for deliveries: opens its secrets, compiles its filter.
 *
 * @returns also the time at which an old secret stops to count, milliseconds since the epoch
 * @throws VaultError when a secret cannot be opened
 */
export async function compileSubscription(
  runtime: Runtime,
  row: SubscriptionRow,
): Promise<{ subscription: CompiledSubscription; secretsChangeAtMs: number }> {
  const { secrets, secretsChangeAtMs } = await openSecrets(runtime, row);
  const signatureForm = row.signatureForm ?? SIGNATURE_FORM_DEFAULT;
  const subscription: CompiledSubscription = {
    ...compileEntry(row.tenantId, row),
    url: row.url,
    contentType: row.contentType,
    headers: row.headers,
    template: row.transformTemplate ?? undefined,
    auth: await openAuth(runtime, row),
    // One from before a change of the form may not suit it: it ends with the form that it signed.
    secrets: secrets.filter(
      (secret, index) => index === 0 || signingSecretFault(signatureForm, secret) === undefined,
    ),
    signatureForm,
    retryEnabled: row.retryEnabled,
    maxRetries: row.maxRetries,
    retryIntervalsSeconds: row.retryIntervals,
    rateLimit: row.rateLimit ?? undefined,
    concurrencyMax: row.concurrencyMax ?? undefined,
    hasAnswered: row.lastSuccessAt !== null && row.lastSuccessAt >= (row.lastFailureAt ?? row.lastSuccessAt),
  };
  return { subscription, secretsChangeAtMs };
}

async function openSecrets(
  runtime: Runtime,
  row: SubscriptionRow,
): Promise<{ secrets: string[]; secretsChangeAtMs: number }> {
  const place = { tenantId: row.tenantId, table: SUBSCRIPTION_TABLE, rowId: row.id };
  const open = (column: string, sealed: string, path?: string): Promise<string> =>
    openSecret(
      runtime,
      runtime.sqlSystem,
      { ...place, column, ...(path === undefined ? {} : { path }) },
      sealed,
    );
  const secrets = row.secretKey === null ? [] : [await open("secret_key", row.secretKey)];
  let secretsChangeAtMs = Number.POSITIVE_INFINITY;
  for (const previous of row.previousSecrets.toReversed()) {
    const expiresAtMs = Date.parse(previous.expiresAt);
    if (expiresAtMs <= runtime.clock.nowMs()) continue;
    secrets.push(await open("previous_secrets", previous.sealed, previous.expiresAt));
    secretsChangeAtMs = Math.min(secretsChangeAtMs, expiresAtMs);
  }
  return { secrets, secretsChangeAtMs };
}

async function openAuth(runtime: Runtime, row: SubscriptionRow): Promise<SubscriptionAuth> {
  if (row.authType === "NONE") return { type: "NONE" };
  const field = AUTH_SECRET_FIELD[row.authType];
  const config = row.authConfig ?? {};
  const secret = await openSecret(
    runtime,
    runtime.sqlSystem,
    authSecretPlace(row.tenantId, row.id, field),
    String(config[field]),
  );
  return { type: row.authType, ...config, [field]: secret } as SubscriptionAuth;
}

/** Where the secret field of `auth_config` is sealed for. */
export function authSecretPlace(
  tenantId: string,
  id: string,
  field: string,
): { tenantId: string; table: string; rowId: string; column: string; path: string } {
  return { tenantId, table: SUBSCRIPTION_TABLE, rowId: id, column: "auth_config", path: `/${field}` };
}
