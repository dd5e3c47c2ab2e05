import { type Context, requireScope, withTenant } from "../context.ts";
import { type Page, pageOf, type PageInput, readCursor } from "../pagination.ts";
import { presentApiKey } from "./present-api-key.ts";
import type { ApiKey } from "./schema.ts";
import { listApiKeyRows } from "./store.ts";

/** A page of the tenant's living API keys, newest first. @throws HubError `forbidden` without `keys:write` */
export async function listApiKeys(ctx: Context, input: PageInput): Promise<Page<ApiKey>> {
  requireScope(ctx, "keys:write");
  const { limit, beforeId } = readCursor(input);
  const rows = await withTenant(ctx, (tx) =>
    listApiKeyRows(tx, ctx.tenantId, { limit: limit + 1, beforeId }),
  );
  return pageOf(rows, limit, presentApiKey);
}
