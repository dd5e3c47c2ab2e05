import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { effectiveSettings } from "./effective-settings.ts";
import { liveCircuit } from "./live-circuit.ts";
import { presentCircuit } from "./present-circuit.ts";
import type { Circuit } from "./schema.ts";
import { getCircuitRow } from "./store.ts";

/**
 * The circuit of an integration at this moment, with the thresholds that count.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 503 `unavailable` when Redis is away
 */
export async function getCircuit(ctx: Context, input: { id: string }): Promise<Circuit> {
  requireScope(ctx, "integrations:read");
  const row = await withTenant(ctx, (tx) => getCircuitRow(tx, ctx.tenantId, input.id));
  if (row === undefined) throw notFound();
  return presentCircuit(await liveCircuit(ctx.runtime, row), effectiveSettings(ctx.runtime.config, row));
}
