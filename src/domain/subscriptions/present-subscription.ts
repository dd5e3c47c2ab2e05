import { AUTH_SECRET_FIELD } from "./auth-config.ts";
import type { Subscription } from "./schema.ts";
import { SIGNATURE_FORM_DEFAULT } from "./signature-form.ts";
import type { SubscriptionRow } from "./store.ts";

/** A row as the API shows it: without any secret, sealed ones included. */
export function presentSubscription(row: SubscriptionRow): Subscription {
  return {
    id: row.id,
    tenantId: row.tenantId,
    name: row.name,
    description: row.description,
    url: row.url,
    eventTypes: row.eventTypes,
    filter: row.filter,
    authType: row.authType,
    authConfig: shownAuth(row),
    contentType: row.contentType,
    headers: row.headers,
    transformTemplate: row.transformTemplate,
    retryEnabled: row.retryEnabled,
    maxRetries: row.maxRetries,
    retryIntervals: row.retryIntervals,
    rateLimit: row.rateLimit,
    concurrencyMax: row.concurrencyMax,
    orderingMode: row.orderingMode,
    signature: row.signatureForm ?? SIGNATURE_FORM_DEFAULT,
    status: row.status,
    isEnabled: row.status === "ACTIVE",
    disabledReason: row.disabledReason,
    secretLast4: row.secretLast4,
    publicKey: row.publicKey,
    previousSecretExpiresAt: previousExpiry(row),
    totalSent: row.totalSent,
    totalDelivered: row.totalDelivered,
    totalFailed: row.totalFailed,
    consecutiveFailures: row.consecutiveFailures,
    lastTriggeredAt: row.lastTriggeredAt?.toISOString() ?? null,
    lastSuccessAt: row.lastSuccessAt?.toISOString() ?? null,
    lastFailureAt: row.lastFailureAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    createdBy: row.createdBy,
  };
}

function shownAuth(row: SubscriptionRow): Record<string, unknown> | null {
  if (row.authType === "NONE" || row.authConfig === null) return null;
  const { [AUTH_SECRET_FIELD[row.authType]]: _sealed, ...shown } = row.authConfig;
  return shown;
}

function previousExpiry(row: SubscriptionRow): string | null {
  const latest = row.previousSecrets
    .map(({ expiresAt }) => expiresAt)
    .sort()
    .at(-1);
  return latest !== undefined && Date.parse(latest) > Date.now() ? latest : null;
}
