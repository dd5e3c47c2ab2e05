import { systemContext, type Context } from "../../src/domain/context.ts";
import { createEndpoint } from "../../src/domain/inbound/create-endpoint.ts";
import type { CreateEndpointInput } from "../../src/domain/inbound/endpoint-schema.ts";
import { putService } from "../../src/domain/services/put-service.ts";
import { createTenant } from "../../src/domain/tenancy/create-tenant.ts";
import { newId } from "../../src/platform/uuid.ts";
import type { HubProcesses } from "./hub-processes.ts";
import type { SenderEndpoint } from "./webhook-sender.ts";

const SECRET = "It's a Secret to Everybody";
const SERVICE_NAME = "target";

/** A fresh tenant with its endpoints, as a sender needs them. */
export interface Partner {
  ctx: Context;
  endpoints: SenderEndpoint[];
}

/**
 * Makes a tenant with endpoints that GitHub would send to.
 *
 * @param options.targetUrl where its webhooks are routed; without one they are only stored
 */
export async function makePartner(
  hub: Pick<HubProcesses, "runtime" | "baseUrl">,
  options: { endpoints: number; targetUrl?: string; endpoint?: Partial<CreateEndpointInput> },
): Promise<Partner> {
  const { runtime } = hub;
  const slug = `t-${newId().slice(-12)}`;
  const { tenant } = await createTenant(systemContext(runtime, newId(), "test", newId()), { slug });
  const ctx = systemContext(runtime, tenant.id, "test", newId());
  const { targetUrl } = options;
  if (targetUrl !== undefined)
    await putService(ctx, { name: SERVICE_NAME, service: { kind: "HTTP", url: targetUrl } });
  const made = Array.from({ length: options.endpoints }, async (): Promise<SenderEndpoint> => {
    const endpoint = await createEndpoint(ctx, {
      handlerType: "CUSTOM",
      signatureScheme: "github",
      secretKey: SECRET,
      ...(targetUrl === undefined ? {} : { targetService: SERVICE_NAME }),
      ...options.endpoint,
    });
    return { url: `${hub.baseUrl}/webhooks/${slug}/${endpoint.endpointPath}`, secret: SECRET };
  });
  return { ctx, endpoints: await Promise.all(made) };
}
