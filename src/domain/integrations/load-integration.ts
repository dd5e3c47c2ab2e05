import type { Context } from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { integrationCacheOf } from "./integration-cache.ts";
import type { Credentials, LoadedIntegration } from "./loaded-integration.ts";

/**
 * The tenant's integration, from the process's cache; a change reaches it by pub/sub, or after 30 s.
 *
 * @throws HubError 404 `not_found` also for another tenant's; 503 `unavailable` when Postgres is away and nothing is known
 */
export async function loadIntegration(ctx: Context, id: string): Promise<LoadedIntegration> {
  const cache = integrationCacheOf(ctx.runtime);
  let integration: LoadedIntegration | null;
  try {
    integration = await cache.find(id);
  } catch (error) {
    ctx.runtime.log.warn({ err: error, integrationId: id }, "integration not loaded");
    throw new HubError("unavailable", "The integration cannot be looked up at the moment.", {
      retryAfterSeconds: 1,
    });
  }
  if (integration === null || integration.tenantId !== ctx.tenantId) throw notFound();
  return integration;
}

/**
 * The opened secrets of a loaded integration: its secret fields and its tokens, by name.
 *
 * @throws VaultError when one cannot be opened
 */
export function openCredentials(ctx: Context, integration: LoadedIntegration): Promise<Credentials> {
  return integrationCacheOf(ctx.runtime).credentials(integration);
}
