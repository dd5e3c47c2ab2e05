import { INVALIDATION_CHANNEL } from "../../platform/redis/keys.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { countEndpointsOfService, removeService } from "./store.ts";

/**
 * Removes a tenant's own service. What lies in its stream stays there for its reader.
 *
 * @throws HubError `in_use` while an endpoint routes to it, `not_found`
 */
export async function deleteService(ctx: Context, input: { name: string }): Promise<void> {
  requireScope(ctx, "webhooks:write");
  await withTenant(ctx, async (tx) => {
    const id = await removeService(tx, ctx.tenantId, input.name);
    if (id === undefined) throw notFound();
    const endpoints = await countEndpointsOfService(tx, ctx.tenantId, input.name);
    if (endpoints > 0)
      throw new HubError("in_use", `${endpoints} endpoint(s) route to the service "${input.name}".`);
    await emitAudit(tx, ctx, { verb: "service.delete", objectType: "service", objectId: id });
  });
  await ctx.runtime.redis.publish(INVALIDATION_CHANNEL, `service:${input.name}`).catch(() => undefined);
}
