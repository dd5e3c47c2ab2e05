import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError } from "../errors.ts";
import { publishHubEvents } from "../events/publish-hub-event.ts";
import { announceTransformation } from "./announce-transformation.ts";
import { readTransformation } from "./get-transformation.ts";
import { deletePause } from "./pause-store.ts";
import type { TransformationDetail } from "./transformation-schema.ts";

/**
 * Ends the pause of a template's versions for this tenant: what waits for them goes on. A system template's too, because
 * the pause is the tenant's own.
 *
 * @param input.version every version that rests when left out
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `conflict` when nothing rests
 */
export async function resumeTransformation(
  ctx: Context,
  input: { id: string; version?: number | undefined },
): Promise<TransformationDetail> {
  requireScope(ctx, "transformations:write");
  const { tenantId } = ctx;
  const resumed = await withTenant(ctx, async (tx) => {
    const template = await readTransformation(tx, tenantId, input.id);
    const resting = template.pauses
      .map(({ version }) => version)
      .filter((version) => input.version === undefined || version === input.version);
    if (resting.length === 0) throw new HubError("conflict", "No such version is paused.");
    for (const version of resting) {
      // oxlint-disable-next-line no-await-in-loop -- one connection
      await deletePause(tx, { tenantId, templateId: input.id, version });
    }
    await publishHubEvents(
      tx,
      resting.map((version) => ({
        tenantId,
        type: "transformation.resumed",
        orderingKey: input.id,
        correlationId: ctx.requestId,
        data: { templateId: input.id, code: template.code, version },
      })),
    );
    await emitAudit(tx, ctx, {
      verb: "transformation.resume",
      objectType: "transformation",
      objectId: input.id,
      changedFields: ["pauses"],
    });
    return readTransformation(tx, tenantId, input.id);
  });
  await announceTransformation(ctx);
  return resumed;
}
