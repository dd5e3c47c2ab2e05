import { announceChange } from "../announce-change.ts";
import type { Context } from "../context.ts";

/** Kind of the invalidation, for `subscribeInvalidation`; its id is the tenant's. */
export const PARTNER_KIND = "edi_partner";

/** Tells every process, once the change is committed, to read the tenant's partners anew. */
export function announcePartners(ctx: Context): Promise<void> {
  return announceChange(ctx, PARTNER_KIND, ctx.tenantId);
}
