import { announceChange } from "../announce-change.ts";
import type { Context } from "../context.ts";

/** Kind of the invalidation; its id is the tenant's, because a mapping may be called by the tenant's other ones. */
export const TRANSFORMATION_KIND = "transformation";

/** Tells every process, once the change is committed, to ask anew for the tenant's templates. */
export function announceTransformation(ctx: Context): Promise<void> {
  return announceChange(ctx, TRANSFORMATION_KIND, ctx.tenantId);
}
