import { publishInvalidation, subscribeInvalidation } from "../../platform/invalidation.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { forgetDataKeys } from "./data-key.ts";

/** Kind of the invalidation; its id is the tenant's. */
const DATA_KEY_KIND = "data_key";

/** Lets a process hear of rotated and destroyed data keys; without it, it learns of them by its cache's lifetime. */
export async function followDataKeys(runtime: Runtime): Promise<void> {
  await subscribeInvalidation(runtime, {
    handlers: { [DATA_KEY_KIND]: (tenantId) => forgetDataKeys(runtime.keyRing, tenantId) },
    onReconnect: () => forgetDataKeys(runtime.keyRing),
  });
}

/** Tells every process, this one at once, that a tenant's keys changed; to be called after the commit. */
export async function announceDataKeys(runtime: Runtime, tenantId: string): Promise<void> {
  forgetDataKeys(runtime.keyRing, tenantId);
  try {
    await publishInvalidation(runtime, DATA_KEY_KIND, tenantId);
  } catch (error) {
    runtime.log.warn(
      { err: error, tenantId },
      "change of data keys was not announced; caches expire by themselves",
    );
  }
}
