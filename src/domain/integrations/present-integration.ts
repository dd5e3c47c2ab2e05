import type { Config } from "../../platform/config.ts";
import { applyOverrides } from "./apply-overrides.ts";
import type { Integration } from "./schema.ts";
import { isStoredSecret, openPart } from "./secret-fields.ts";
import type { IntegrationRow } from "./store.ts";

/** What counts for the calls of an integration where the tenant set nothing. */
type Defaults = Pick<Config, "defaultTimeoutSeconds" | "defaultMaxRetries">;

/** A row as the API shows it: without any secret, sealed ones included. */
export function presentIntegration(config: Defaults, row: IntegrationRow): Integration {
  const { manifest } = row;
  const derivedNames = new Set(
    manifest.fields.filter(({ kind }) => kind === "derived").map(({ name }) => name),
  );
  const open = Object.entries(openPart(row.config));
  return {
    id: row.id,
    tenantId: row.tenantId,
    providerId: row.providerId,
    providerCode: row.providerCode,
    providerName: manifest.name,
    category: manifest.category,
    name: row.name,
    description: row.description,
    environment: row.environment,
    authType: row.authType,
    config: Object.fromEntries(open.filter(([name]) => !derivedNames.has(name))),
    secrets: Object.fromEntries(
      Object.entries(row.config).flatMap(([name, value]) =>
        isStoredSecret(value) ? [[name, { last4: value.last4 }]] : [],
      ),
    ),
    derived: Object.fromEntries(
      open.filter(([name]) => derivedNames.has(name)).map(([name, value]) => [name, String(value)]),
    ),
    overrides: row.overrides,
    status: row.status,
    isEnabled: row.status === "ACTIVE",
    oauthExpiresAt: row.oauthExpiresAt?.toISOString() ?? null,
    oauthLoginEndsAt: row.oauthLoginEndsAt?.toISOString() ?? null,
    lastSuccessfulCall: row.lastSuccessfulCall?.toISOString() ?? null,
    lastError: row.lastError,
    lastErrorAt: row.lastErrorAt?.toISOString() ?? null,
    errorCount: row.errorCount,
    lastTest: row.lastTest,
    retryEnabled: row.retryEnabled,
    ...effectiveLimits(config, row),
    syncFrequency: row.syncFrequency,
    lastSyncAt: row.lastSyncAt?.toISOString() ?? null,
    nextSyncAt: row.nextSyncAt?.toISOString() ?? null,
    externalId: row.externalId,
    sourceSystem: row.sourceSystem,
    customFields: row.customFields,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    createdBy: row.createdBy,
    updatedBy: row.updatedBy,
  };
}

/** Time and tries of a call: the tenant's, else the provider's, else the hub's (DESIGN.md section 8). */
export function effectiveLimits(
  config: Defaults,
  row: Pick<IntegrationRow, "manifest" | "overrides" | "timeoutSeconds" | "maxRetries">,
): { timeoutSeconds: number; maxRetries: number } {
  const manifest = applyOverrides(row.manifest, row.overrides);
  return {
    timeoutSeconds: row.timeoutSeconds ?? manifest.timeouts?.totalSeconds ?? config.defaultTimeoutSeconds,
    maxRetries: row.maxRetries ?? manifest.retriesMax ?? config.defaultMaxRetries,
  };
}
