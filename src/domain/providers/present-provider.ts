import { authKindOf } from "./choose-auth.ts";
import { configSchemaOf } from "./config-schema.ts";
import { ENVIRONMENTS } from "./manifest-schema.ts";
import { serversOf } from "./resolve-server.ts";
import type { Provider, ProviderDetail } from "./schema.ts";
import type { ProviderRow } from "./store.ts";

/** A row as lists show it. */
export function presentProvider(row: ProviderRow): Provider {
  const { manifest } = row;
  const quota = manifest.quotas.find(({ windowSeconds }) => windowSeconds !== undefined);
  return {
    id: row.id,
    code: row.code,
    name: manifest.name,
    category: manifest.category,
    description: manifest.description ?? null,
    origin: row.tenantId === null ? "BUILT_IN" : "CUSTOM",
    version: row.version,
    configSchema: configSchemaOf(manifest),
    authType: authKindOf(manifest.auth),
    baseUrl: manifest.servers[0]?.baseUrl ?? null,
    apiVersion: manifest.apiVersion ?? null,
    documentationUrl: manifest.documentationUrl ?? null,
    supportsWebhooks: manifest.features.webhooks,
    supportsBatch: manifest.features.batch,
    supportsRealtime: manifest.features.realtime,
    rateLimitRequests: quota?.limit ?? null,
    rateLimitWindow: quota?.windowSeconds ?? null,
    environments: ENVIRONMENTS.filter((environment) => serversOf(manifest, environment).length > 0),
    capabilities: manifest.capabilities ?? [],
    status: manifest.status,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

/** A row with its manifest. */
export function presentProviderDetail(row: ProviderRow): ProviderDetail {
  return { ...presentProvider(row), manifest: row.manifest };
}
