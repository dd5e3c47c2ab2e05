import { publishInvalidation } from "../platform/invalidation.ts";
import { afterCommit, type Context } from "./context.ts";

/**
 * Tells the other processes, after the commit, that an object of configuration changed. The change stands whether or
 * not the message goes out, so a Redis that is away is logged and no error: caches expire by themselves.
 *
 * @param kind noun in snake case, as in `subscribeInvalidation`
 */
export function announceChange(ctx: Context, kind: string, id: string): Promise<void> {
  return afterCommit(ctx, async () => {
    try {
      await publishInvalidation(ctx.runtime, kind, id);
    } catch (error) {
      ctx.runtime.log.warn({ err: error, kind, id }, "change was not announced; caches expire by themselves");
    }
  });
}
