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
  await tell(runtime, INTEGRATION_KIND, id);
}

/** Kind of the invalidation for tokens, of which inbound endpoints need not hear. */
export const INTEGRATION_TOKENS_KIND = "integration_tokens";

/** Tells every process that an integration has other tokens; to be called after the commit. */
export async function announceTokens(runtime: Runtime, id: string): Promise<void> {
  await tell(runtime, INTEGRATION_TOKENS_KIND, id);
}

async function tell(runtime: Runtime, kind: string, id: string): Promise<void> {
  try {
    await publishInvalidation(runtime, kind, id);
  } catch (error) {
    runtime.log.warn({ err: error, kind, id }, "change was not announced; caches expire by themselves");
  }
}
