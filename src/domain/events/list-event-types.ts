import { type Context, requireScope, withTenant } from "../context.ts";
import { BUILT_IN_TYPES, findBuiltInType } from "./built-in-types.ts";
import type { EventType } from "./event-type-schema.ts";
import { listEventTypeRows } from "./event-type-store.ts";
import { presentBuiltInType, presentEventType } from "./present-event-type.ts";

/**
 * Every event type that the tenant can subscribe to by name, in the order of their names: built-in ones and its own.
 *
 * @throws HubError 403 `forbidden`
 */
export async function listEventTypes(
  ctx: Context,
  input: { origin?: EventType["origin"] },
): Promise<{ data: EventType[] }> {
  requireScope(ctx, "events:read");
  const rows = await withTenant(ctx, (tx) => listEventTypeRows(tx, ctx.tenantId));
  const described = new Set(rows.map(({ type }) => type));
  const data = [
    ...rows.map((row) => presentEventType(row, findBuiltInType(row.type))),
    ...Object.entries(BUILT_IN_TYPES)
      .filter(([type]) => !described.has(type))
      .map(([type, builtIn]) => presentBuiltInType(type, builtIn)),
  ];
  return {
    data: data
      .filter(({ origin }) => input.origin === undefined || origin === input.origin)
      .sort((a, b) => (a.type < b.type ? -1 : 1)),
  };
}
