import { INVALIDATION_CHANNEL } from "../../platform/redis/keys.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { invalidInput } from "../errors.ts";
import { checkServiceUrl } from "./check-service-url.ts";
import { SERVICE_NAME_PATTERN, type Service, type ServiceInput } from "./schema.ts";
import { presentService, upsertService } from "./store.ts";

/**
 * Registers a tenant's target service, or replaces it. A name of the platform is hidden for this tenant by its own row.
 *
 * @returns the service, and whether it is new
 * @throws HubError `invalid_input` for a name, kind and address that do not fit each other
 */
export async function putService(
  ctx: Context,
  input: { name: string; service: ServiceInput },
): Promise<{ service: Service; created: boolean }> {
  requireScope(ctx, "webhooks:write");
  const url = checkInput(input.name, input.service);
  const { row, created } = await withTenant(ctx, async (tx) => {
    const saved = await upsertService(tx, ctx.tenantId, input.name, { ...input.service, url });
    await emitAudit(tx, ctx, {
      verb: saved.created ? "service.create" : "service.update",
      objectType: "service",
      objectId: saved.row.id,
      changedFields: Object.keys(input.service),
    });
    return saved;
  });
  await ctx.runtime.redis.publish(INVALIDATION_CHANNEL, `service:${input.name}`).catch(() => undefined);
  return { service: presentService(row), created };
}

function checkInput(name: string, service: ServiceInput): string | null {
  if (!new RegExp(SERVICE_NAME_PATTERN).test(name)) {
    throw invalidInput([
      { path: "name", message: "must be 1 to 50 of a-z, 0-9 and -, beginning with a letter or digit" },
    ]);
  }
  const given = service.url ?? null;
  if (service.kind === "STREAM") {
    if (given !== null) throw invalidInput([{ path: "/url", message: "a STREAM service has no address" }]);
    return null;
  }
  if (given === null) throw invalidInput([{ path: "/url", message: "an HTTP service needs an address" }]);
  const checked = checkServiceUrl(given);
  if ("problem" in checked) throw invalidInput([{ path: "/url", message: checked.problem }]);
  return checked.url;
}
