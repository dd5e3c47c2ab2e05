import { isDeepStrictEqual } from "node:util";
import { announceChange } from "../announce-change.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, invalidInput } from "../errors.ts";
import { findBuiltInType } from "./built-in-types.ts";
import { isOwnType, readEventType } from "./event-type.ts";
import type { EventTypeDetail, PutEventTypeInput } from "./event-type-schema.ts";
import {
  countEventTypes,
  getEventTypeRow,
  insertVersion,
  listVersionRows,
  lockEventType,
  updateEventType,
} from "./event-type-store.ts";
import { compileSchema } from "../../platform/json/compile-schema.ts";
import { presentEventType } from "./present-event-type.ts";

/** Types that one tenant may describe. */
const TYPES_MAX = 1_000;

/**
 * Describes an event type. Another schema or sample makes the next version; earlier ones stay as they are, and events
 * that name one are held to it.
 *
 * @returns `isNew` when the tenant had not described the type before
 * @throws HubError 403 `forbidden`; 409 `conflict` for a type of the hub itself or one more than 1,000; 422
 * `invalid_input` for a schema that does not compile or a sample that does not fit it
 */
export async function putEventType(
  ctx: Context,
  input: { type: string; changes: PutEventTypeInput },
): Promise<{ eventType: EventTypeDetail; isNew: boolean }> {
  requireScope(ctx, "events:publish");
  const type = readEventType(input.type);
  if (type === undefined)
    throw invalidInput([
      { path: "type", message: "must be dotted words in lower case, as in order.created" },
    ]);
  if (isOwnType(type)) throw new HubError("conflict", "The hub itself publishes this type and describes it.");
  const { description, schema, sample } = input.changes;
  const result = await withTenant(ctx, async (tx) => {
    const { isNew } = await lockEventType(tx, ctx.tenantId, type);
    if (isNew && (await countEventTypes(tx, ctx.tenantId)) > TYPES_MAX)
      throw new HubError("conflict", `There are ${TYPES_MAX} types already.`);
    const current = (await getEventTypeRow(tx, ctx.tenantId, type))!;
    const next = {
      version: (current.version ?? 0) + 1,
      schema: schema === undefined ? current.schema : schema,
      sample: sample === undefined ? current.sample : sample,
    };
    checkVersion(next);
    const isNewVersion =
      !isDeepStrictEqual(next.schema, current.schema) || !isDeepStrictEqual(next.sample, current.sample);
    if (isNewVersion) await insertVersion(tx, ctx.tenantId, type, next);
    await updateEventType(tx, ctx.tenantId, type, description);
    await emitAudit(tx, ctx, {
      verb: "event_type.put",
      objectType: "event_type",
      objectId: current.id,
      changedFields: Object.keys(input.changes),
    });
    const row = (await getEventTypeRow(tx, ctx.tenantId, type))!;
    const versions = await listVersionRows(tx, ctx.tenantId, type);
    return {
      isNew,
      eventType: {
        ...presentEventType(row, findBuiltInType(type)),
        versions: versions.map((version) => ({ ...version, createdAt: version.createdAt.toISOString() })),
      },
    };
  });
  await announceChange(ctx, "event_type", ctx.tenantId);
  return result;
}

function checkVersion(version: { schema: Record<string, unknown> | null; sample: unknown }): void {
  if (version.schema === null) return;
  const compiled = compileSchema(version.schema);
  if (!compiled.ok) throw invalidInput(compiled.errors);
  if (version.sample === null) return;
  const fault = compiled.check(version.sample);
  if (fault !== undefined) throw invalidInput([{ path: `/sample${fault.path}`, message: fault.message }]);
}
