import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { presentReplay } from "./present-replay.ts";
import type { Replay } from "./replay-schema.ts";
import { getReplayRow } from "./replay-store.ts";

/**
 * A replay job with its progress.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function getReplay(ctx: Context, input: { id: string }): Promise<Replay> {
  requireScope(ctx, "webhooks:read");
  const row = await withTenant(ctx, (tx) => getReplayRow(tx, ctx.tenantId, input.id));
  if (row === undefined) throw notFound();
  return presentReplay(row);
}
