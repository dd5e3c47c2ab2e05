import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { presentReplay } from "./present-replay.ts";
import type { Replay } from "./replay-schema.ts";
import { cancelReplayRow, getReplayRow } from "./replay-store.ts";

/**
 * Ends a replay job: nothing more is put on its way, and what still waits in its subscription's queue ends as cancelled
 * when its turn comes, also where all was on its way already. What is in flight arrives.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `conflict` when it has ended, its deliveries too
 */
export async function cancelReplay(ctx: Context, input: { id: string }): Promise<Replay> {
  requireScope(ctx, "webhooks:write");
  return withTenant(ctx, async (tx) => {
    if ((await getReplayRow(tx, ctx.tenantId, input.id)) === undefined) throw notFound();
    if (!(await cancelReplayRow(tx, ctx.tenantId, input.id))) {
      throw new HubError("conflict", "The replay has ended.");
    }
    await emitAudit(tx, ctx, {
      verb: "webhook_replay.cancel",
      objectType: "webhook_replay",
      objectId: input.id,
      changedFields: ["status"],
    });
    return presentReplay((await getReplayRow(tx, ctx.tenantId, input.id))!);
  });
}
