import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import type { GatewayCall } from "./call-schema.ts";
import { getCallRow } from "./call-store.ts";
import { presentCall } from "./present-call.ts";

/**
 * One call that was to be done later, with its result once it is there.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function getCall(ctx: Context, input: { id: string; callId: string }): Promise<GatewayCall> {
  requireScope(ctx, "gateway:call");
  const row = await withTenant(ctx, (tx) => getCallRow(tx, ctx.tenantId, input.id, input.callId));
  if (row === undefined) throw notFound();
  return presentCall(row);
}
