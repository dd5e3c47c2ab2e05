import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { findBuiltInType } from "./built-in-types.ts";
import { readEventType } from "./event-type.ts";
import type { EventTypeDetail } from "./event-type-schema.ts";
import { getEventTypeRow, listVersionRows } from "./event-type-store.ts";
import { presentBuiltInType, presentEventType } from "./present-event-type.ts";

/**
 * One event type with the versions of its schema.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function getEventType(ctx: Context, input: { type: string }): Promise<EventTypeDetail> {
  requireScope(ctx, "events:read");
  const type = readEventType(input.type);
  if (type === undefined) throw notFound();
  const builtIn = findBuiltInType(type);
  return withTenant(ctx, async (tx) => {
    const row = await getEventTypeRow(tx, ctx.tenantId, type);
    if (row === undefined) {
      if (builtIn === undefined) throw notFound();
      return { ...presentBuiltInType(type, builtIn), versions: [] };
    }
    const versions = await listVersionRows(tx, ctx.tenantId, type);
    return {
      ...presentEventType(row, builtIn),
      versions: versions.map((version) => ({ ...version, createdAt: version.createdAt.toISOString() })),
    };
  });
}
