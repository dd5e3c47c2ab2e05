import { publishInvalidation } from "../../platform/invalidation.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { announceChange } from "../announce-change.ts";
import type { Context } from "../context.ts";

/** Kind of the invalidation, for `subscribeInvalidation`; its id is the integration's. */
export const INTEGRATION_KIND = "integration";

/** Tells every process, once the change is committed, to ask anew for the integration (and its inbound endpoints). */
export function announceIntegration(ctx: Context, id: string): Promise<void> {
  return announceChange(ctx, INTEGRATION_KIND, id);
}

/** The same for the hub's own processes, which have no caller; to be called after the commit. */
export async function announceIntegrationOf(runtime: Runtime, id: string): Promise<void> {
  try {
    await publishInvalidation(runtime, INTEGRATION_KIND, id);
  } catch (error) {
    runtime.log.warn(
      { err: error, id },
      "change of an integration was not announced; caches expire by themselves",
    );
  }
}
