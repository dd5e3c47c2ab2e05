import { publishInvalidation } from "../../platform/invalidation.ts";
import { afterCommit, type Context } from "../context.ts";

/**
 * Tells every process to forget the endpoint, once the change is committed. A lost message is made good by the caches'
 * own expiry.
 */
export async function publishEndpointChange(ctx: Context, endpointId: string): Promise<void> {
  await afterCommit(ctx, () =>
    publishInvalidation(ctx.runtime, "endpoint", endpointId).catch((error: unknown) => {
      ctx.runtime.log.warn({ err: error, endpointId }, "invalidation not published");
    }),
  );
}
