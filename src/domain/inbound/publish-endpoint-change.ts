import { publishInvalidation } from "../../platform/invalidation.ts";
import type { Runtime } from "../../platform/runtime.ts";

/** Tells every process to forget the endpoint. A lost message is made good by the caches' own expiry. */
export async function publishEndpointChange(runtime: Runtime, endpointId: string): Promise<void> {
  await publishInvalidation(runtime, "endpoint", endpointId).catch((error: unknown) => {
    runtime.log.warn({ err: error, endpointId }, "invalidation not published");
  });
}
