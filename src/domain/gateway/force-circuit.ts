import { emitAudit } from "../audit/emit-audit.ts";
import { effectiveSettings } from "../circuit-breaker/effective-settings.ts";
import { liveCircuit } from "../circuit-breaker/live-circuit.ts";
import { presentCircuit } from "../circuit-breaker/present-circuit.ts";
import { recordCircuit } from "../circuit-breaker/record-circuit.ts";
import type { Circuit } from "../circuit-breaker/schema.ts";
import { getCircuitRow } from "../circuit-breaker/store.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { announceCircuit } from "./announce-circuit.ts";

/**
 * Opens (`trip`) or closes (`reset`) a circuit by hand. A tripped one stays open for its timeout and is then probed like
 * any other; calls under way end as they do.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 503 `unavailable` when Redis is away
 */
export async function forceCircuit(
  ctx: Context,
  input: { id: string; action: "trip" | "reset" },
): Promise<Circuit> {
  requireScope(ctx, "integrations:write");
  const { runtime, tenantId } = ctx;
  const { row, circuit } = await withTenant(ctx, async (tx) => {
    const found = await getCircuitRow(tx, tenantId, input.id);
    if (found === undefined) throw notFound();
    await emitAudit(tx, ctx, {
      verb: `circuit.${input.action}`,
      objectType: "integration",
      objectId: input.id,
      changedFields: ["state"],
    });
    // Last, so that a Redis that is away leaves no audit row of what did not happen.
    return {
      row: found,
      circuit: await liveCircuit(runtime, found, input.action === "trip" ? "OPEN" : "CLOSED"),
    };
  });
  await recordCircuit(runtime, circuit, (tx, transition) => announceCircuit(tx, runtime.config, transition));
  return presentCircuit(circuit, effectiveSettings(runtime.config, row));
}
