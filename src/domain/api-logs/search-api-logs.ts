import { type Context, requireScope, withTenant } from "../context.ts";
import { type Page, pageOf, readCursor } from "../pagination.ts";
import { presentApiLog } from "./present-api-log.ts";
import type { ApiLog, ApiLogFilter } from "./schema.ts";
import { searchRange } from "./search-range.ts";
import { searchApiLogRows } from "./store.ts";

/**
 * A page of the tenant's calls in and out, newest first, over at most 31 days; the last 24 hours when no time is given.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a bad range or cursor
 */
export async function searchApiLogs(ctx: Context, input: ApiLogFilter): Promise<Page<ApiLog>> {
  requireScope(ctx, "logs:read");
  const range = searchRange(input.from, input.to, ctx.runtime.clock.nowMs());
  const { limit, beforeId } = readCursor(input);
  const rows = await withTenant(ctx, (tx) =>
    searchApiLogRows(tx, ctx.tenantId, range, input, { limit: limit + 1, beforeId }),
  );
  return pageOf(rows, limit, presentApiLog);
}
