import type { Runtime } from "../../platform/runtime.ts";
import { newId } from "../../platform/uuid.ts";
import type { LoadedIntegration } from "../integrations/loaded-integration.ts";
import { resolveServer } from "../providers/resolve-server.ts";
import type { Priority } from "../rate-limit/admission-call.ts";
import { compileQuotas } from "./call-quotas.ts";
import type { ConnectionDoor } from "./connection-request.ts";
import { gatewayAdmissionOf } from "./gateway-admission.ts";

/** The door through which a stored integration is tested: its limits count these requests, and its circuit hears of them. */
export function connectionDoor(
  runtime: Runtime,
  integration: LoadedIntegration,
  priority: Priority,
): ConnectionDoor {
  const { id, tenantId, providerId, environment, manifest, config } = integration;
  const server = resolveServer(manifest, { environment, config });
  const base = server.ok ? new URL(server.baseUrl).pathname.replace(/\/$/, "") : "";
  const limitsOf = compileQuotas(runtime.config, manifest.quotas);
  return {
    async admit({ method, url }, leftMs) {
      const { admission, circuitSettings } = await gatewayAdmissionOf(runtime);
      const { pathname } = new URL(url);
      return admission.admit({
        tenantId,
        integrationId: id,
        providerId,
        environment,
        callId: newId(),
        ...limitsOf(method, pathname.startsWith(base) ? pathname.slice(base.length) : pathname),
        circuit: await circuitSettings.get(id),
        priority,
        deadlineMs: Math.max(0, leftMs),
      });
    },
    async finish({ lease }, result) {
      const { admission } = await gatewayAdmissionOf(runtime);
      return admission.finish(lease, result);
    },
  };
}
