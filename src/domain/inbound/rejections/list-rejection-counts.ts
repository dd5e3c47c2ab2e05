import { type Context, requireScope, withTenant } from "../../context.ts";
import type { RejectionCountItem } from "./rejection-schema.ts";
import { listRejectionCountRows } from "./rejection-store.ts";

/** More rows than an operator reads; an endpoint has about ten causes. */
const ROWS_MAX = 1_000;

/**
 * How often the tenant's endpoints refused, by cause, the most frequent first. Every refusal counts, also one of which
 * no sample was kept.
 *
 * @throws HubError 403 `forbidden`
 */
export async function listRejectionCounts(
  ctx: Context,
  input: { endpointId?: string | undefined },
): Promise<{ data: RejectionCountItem[] }> {
  requireScope(ctx, "webhooks:read");
  const rows = await withTenant(ctx, (tx) =>
    listRejectionCountRows(tx, ctx.tenantId, { endpointId: input.endpointId, limit: ROWS_MAX }),
  );
  return { data: rows.map((row) => ({ ...row, lastAt: row.lastAt.toISOString() })) };
}
