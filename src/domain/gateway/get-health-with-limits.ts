import type { Context } from "../context.ts";
import { getIntegrationHealth } from "../integrations/get-integration-health.ts";
import type { IntegrationHealth, LiveLimits } from "../integrations/health-schema.ts";
import { loadIntegration } from "../integrations/load-integration.ts";
import { everyLimit } from "./call-quotas.ts";
import { gatewayAdmissionOf } from "./gateway-admission.ts";

/**
 * How an integration is, with what its provider's limits leave at this moment; `limits` is null while Redis is away.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function getHealthWithLimits(ctx: Context, input: { id: string }): Promise<IntegrationHealth> {
  const health = await getIntegrationHealth(ctx, input);
  const limits = await readLimits(ctx, input.id).catch((error: unknown) => {
    ctx.runtime.log.warn({ err: error, integrationId: input.id }, "limits cannot be looked at");
    return null;
  });
  const isUsedUp =
    limits !== null && (limits.heldMs > 0 || limits.quotas.some((quota) => quota.remaining === 0));
  return { ...health, health: health.health === "healthy" && isUsedUp ? "degraded" : health.health, limits };
}

async function readLimits(ctx: Context, id: string): Promise<LiveLimits> {
  const { manifest, tenantId, providerId, environment } = await loadIntegration(ctx, id);
  const { quotas, concurrency = null } = everyLimit(ctx.runtime.config, manifest.quotas);
  const { admission } = await gatewayAdmissionOf(ctx.runtime);
  const reading = await admission.look({ tenantId, integrationId: id, providerId, environment }, quotas);
  return {
    waiting: reading.waiting,
    inFlight: reading.inFlight,
    inFlightMax: concurrency,
    heldMs: reading.heldMs,
    quotas: reading.quotas.map((quota, index) => ({
      ...quota,
      windowSeconds: quotas[index]!.windowMs / 1_000,
    })),
  };
}
