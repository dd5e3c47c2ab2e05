import { type Context, requireScope, withTenant } from "../context.ts";
import { type Page, pageOf, type PageInput, readCursor } from "../pagination.ts";
import type { IntegrationHealthSummary } from "./health-schema.ts";
import { readCircuits, readWindows } from "./health-store.ts";
import { presentSummary, presentWindow } from "./judge-health.ts";
import { type IntegrationFilter, listIntegrationRows } from "./store.ts";

const SECONDS = 300;
/** Newest calls of each integration. */
const CALLS_MAX = 2_000;

/**
 * How the tenant's integrations are, newest first.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a cursor that is none of ours
 */
export async function listIntegrationHealth(
  ctx: Context,
  input: PageInput & Pick<IntegrationFilter, "status">,
): Promise<Page<IntegrationHealthSummary>> {
  requireScope(ctx, "integrations:read");
  const { tenantId } = ctx;
  const { limit, beforeId } = readCursor(input);
  const nowMs = ctx.runtime.clock.nowMs();
  return withTenant(ctx, async (tx) => {
    const rows = await listIntegrationRows(
      tx,
      tenantId,
      { limit: limit + 1, beforeId },
      { status: input.status },
    );
    const ids = rows.map(({ id }) => id);
    const circuits = await readCircuits(tx, tenantId, ids);
    const windows = await readWindows(tx, { tenantId, ids, nowMs, seconds: [SECONDS], callsMax: CALLS_MAX });
    return pageOf(rows, limit, (row) => {
      const last5Minutes = presentWindow(
        windows.find(({ integrationId }) => integrationId === row.id),
        CALLS_MAX,
      );
      const seen = { circuit: circuits.get(row.id), quotas: [], last5Minutes };
      return { ...presentSummary(row, seen), last5Minutes };
    });
  });
}
