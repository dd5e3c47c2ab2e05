import { announceChange } from "../announce-change.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { effectiveSettings } from "./effective-settings.ts";
import { liveCircuit } from "./live-circuit.ts";
import { presentCircuit } from "./present-circuit.ts";
import type { Circuit, UpdateCircuitInput } from "./schema.ts";
import { getCircuitRow, saveThresholds } from "./store.ts";

/**
 * Sets an integration's own thresholds; null gives one back to the environment. They count from the next call on; an
 * open circuit stays open, for the new time.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 503 `unavailable` when Redis is away
 */
export async function updateCircuit(
  ctx: Context,
  input: { id: string; changes: UpdateCircuitInput },
): Promise<Circuit> {
  requireScope(ctx, "integrations:write");
  const { runtime, tenantId } = ctx;
  const row = await withTenant(ctx, async (tx) => {
    const found = await getCircuitRow(tx, tenantId, input.id);
    if (found === undefined) throw notFound();
    const changed = { ...found, ...input.changes };
    await saveThresholds(tx, tenantId, input.id, changed);
    await emitAudit(tx, ctx, {
      verb: "circuit.update",
      objectType: "integration",
      objectId: input.id,
      changedFields: Object.keys(input.changes),
    });
    return changed;
  });
  await announceChange(ctx, "circuit", input.id);
  return presentCircuit(await liveCircuit(runtime, row), effectiveSettings(runtime.config, row));
}
