import { type Context, requireScope, withTenant } from "../context.ts";
import { type Page, type PageInput, pageOf, readCursor } from "../pagination.ts";
import { presentProvider } from "./present-provider.ts";
import type { Provider } from "./schema.ts";
import { listProviderRows } from "./store.ts";

/** What a list of providers may be narrowed to. */
export interface ListProvidersInput extends PageInput {
  category?: string | undefined;
  status?: string | undefined;
  origin?: "BUILT_IN" | "CUSTOM" | undefined;
}

/** The built-in providers and the tenant's own. */
export async function listProviders(ctx: Context, input: ListProvidersInput): Promise<Page<Provider>> {
  requireScope(ctx, "integrations:read");
  const { limit, beforeId } = readCursor(input);
  const rows = await withTenant(ctx, (tx) =>
    listProviderRows(tx, ctx.tenantId, { ...input, beforeId, limit: limit + 1 }),
  );
  return pageOf(rows, limit, presentProvider);
}
