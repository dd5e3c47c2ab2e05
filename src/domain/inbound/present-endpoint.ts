import type { Config } from "../../platform/config.ts";
import type { Endpoint } from "./endpoint-schema.ts";
import type { EndpointRow } from "./endpoint-store.ts";
import { ALGORITHM_DEFAULT, SIGNATURE_HEADER_DEFAULT } from "./schemes/hmac-settings.ts";

/** A row as the API shows it: without secrets, with the address to give to the sender. */
export function presentEndpoint(config: Config, row: EndpointRow): Endpoint {
  const isHmac = row.signatureScheme === "hmac";
  return {
    id: row.id,
    tenantId: row.tenantId,
    integrationId: row.integrationId,
    endpointPath: row.endpointPath,
    url: `${config.publicUrl}/webhooks/${row.tenantSlug}/${row.endpointPath}`,
    signatureScheme: row.signatureScheme,
    // What counts is shown, not that it was left out: the sender has to be told.
    signatureHeader: row.signatureHeader ?? (isHmac ? SIGNATURE_HEADER_DEFAULT : null),
    signatureAlgorithm: row.signatureAlgorithm ?? (isHmac ? ALGORITHM_DEFAULT : null),
    signatureSettings: row.signatureSettings,
    eventTypes: row.eventTypes,
    handlerType: row.handlerType,
    transformTemplate: row.transformTemplate,
    targetService: row.targetService,
    ipWhitelist: row.ipWhitelist,
    status: row.status,
    isEnabled: row.status === "ACTIVE",
    eventIdSource: row.eventIdSource,
    eventTypeSource: row.eventTypeSource,
    dedupeWindowSeconds: row.dedupeWindowSeconds,
    rateLimit: row.rateLimit,
    maxBodyBytes: row.maxBodyBytes,
    secretLast4: row.secretLast4,
    previousSecretExpiresAt: previousExpiry(row),
    totalReceived: row.totalReceived,
    totalProcessed: row.totalProcessed,
    totalFailed: row.totalFailed,
    lastReceivedAt: row.lastReceivedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

function previousExpiry(row: EndpointRow): string | null {
  const latest = row.previousSecrets
    .map((secret) => secret.expiresAt)
    .sort()
    .at(-1);
  return latest !== undefined && Date.parse(latest) > Date.now() ? latest : null;
}
