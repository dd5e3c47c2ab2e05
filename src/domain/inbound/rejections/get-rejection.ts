import { type Context, requireScope, withTenant } from "../../context.ts";
import { judgeRejection } from "./judge-rejection.ts";
import { loadRejection } from "./load-rejection.ts";
import { presentRawRequest, presentRejection } from "./present-rejection.ts";
import type { RejectionDetail } from "./rejection-schema.ts";

/**
 * One sample of a refused request: redacted, and explained under the endpoint's present secrets.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function getRejection(ctx: Context, input: { id: string }): Promise<RejectionDetail> {
  requireScope(ctx, "webhooks:read");
  const loaded = await withTenant(ctx, (tx) => loadRejection(ctx, tx, input.id));
  const { valid, causes } = await judgeRejection(ctx, loaded);
  const request = await presentRawRequest(loaded, ctx.runtime.config.logBodyMaxBytes);
  return { ...presentRejection(loaded.row), ...request, valid, causes };
}
