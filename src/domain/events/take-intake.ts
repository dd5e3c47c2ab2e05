import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { storableText } from "../../platform/postgres/storable.ts";
import { EVENT_INTAKE_DEAD_KEY, EVENT_INTAKE_KEY } from "../../platform/redis/keys.ts";
import { bindScript } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { floorId } from "../../platform/uuid.ts";
import { detailOf, type FieldError } from "../errors.ts";
import { checkPayloads } from "./check-payloads.ts";
import type { EventPublisher } from "./event-publisher.ts";
import type { EventTypeCatalogue } from "./event-type-catalogue.ts";
import { findActiveTenants, insertIntakeDeadLetter } from "./intake-store.ts";
import { type IntakeEntry, readIntake } from "./read-intake.ts";
import lua from "./keep-stray.lua" with { type: "text" };
import { DATA_BYTES_MAX } from "./schema.ts";

/** Entries without a tenant that are kept for the operator, the newest ones. */
const STRAYS_MAX = 10_000;
const STRAY_BYTES_MAX = 16 * 1024 * 1024;

export interface IntakeDeps {
  runtime: Runtime;
  publisher: EventPublisher;
  catalogue: EventTypeCatalogue;
}

/**
 * Publishes entries of `events:in`, in their order. What is no event becomes a dead letter of its tenant; what names no
 * tenant is kept in `events:in:dead`. When it resolves, every entry is safe elsewhere and may be acknowledged.
 *
 * @param entries `[stream id, flat field list]`
 * @throws when Postgres, Redis or room is missing: the same entries are to be taken again
 */
export async function takeIntake(
  deps: IntakeDeps,
  entries: readonly (readonly [id: string, fields: readonly string[]])[],
): Promise<void> {
  const nowMs = deps.runtime.clock.nowMs();
  const broken = await findBroken(deps.runtime, entries);
  const read = entries.map(([id, fields]): IntakeEntry => {
    const entry = readIntake(id, fields, nowMs);
    return broken.has(id) ? { ...entry, outcome: { faults: [NOT_UTF8] } } : entry;
  });
  const ids = [...new Set(read.flatMap(({ tenantId }) => tenantId ?? []))];
  const tenants = await findActiveTenants(deps.runtime.sqlSystem, ids);
  const byTenant = Map.groupBy(read, ({ tenantId }) =>
    tenantId !== undefined && tenants.has(tenantId) ? tenantId : undefined,
  );
  const strays = byTenant.get(undefined) ?? [];
  byTenant.delete(undefined);
  await Promise.all([...byTenant].map(([tenantId, own]) => takeOfTenant(deps, tenantId!, own)));
  // Last, because nothing tells a stray that is kept from one that is taken again.
  for (const stray of strays) await keepStray(deps.runtime, stray);
}

const NOT_UTF8: FieldError = { path: "", message: "holds bytes that are not UTF-8" };

/** The client puts U+FFFD in the place of bytes that are no text; whether they were some is only seen in the bytes. */
async function findBroken(
  { redis }: Runtime,
  entries: readonly (readonly [id: string, fields: readonly string[]])[],
): Promise<ReadonlySet<string>> {
  const doubtful = entries.filter(([, fields]) => fields.some((field) => field.includes("\uFFFD")));
  const raw = await Promise.all(doubtful.map(([id]) => redis.xrangeBuffer(EVENT_INTAKE_KEY, id, id)));
  const isBroken = (index: number): boolean => raw[index]![0]?.[1].some((bytes) => !isUtf8(bytes)) === true;
  return new Set(doubtful.filter((_, index) => isBroken(index)).map(([id]) => id));
}

async function takeOfTenant(
  deps: IntakeDeps,
  tenantId: string,
  entries: readonly IntakeEntry[],
): Promise<void> {
  const items = [];
  for (const entry of entries) {
    const { outcome } = entry;
    const faults = "faults" in outcome ? outcome.faults : await payloadFaults(deps, tenantId, outcome);
    if (faults.length > 0 || "faults" in outcome) {
      await bury(deps.runtime, tenantId, entry, faults);
      continue;
    }
    const { correlationId, traceparent } = entry;
    items.push({
      event: outcome.event,
      source: "API" as const,
      correlationId,
      traceparent,
      acceptedAt: acceptedAtOf(entry.entryId, deps.runtime.clock.nowMs()),
    });
  }
  if (items.length > 0) await deps.publisher.publish(tenantId, items);
}

function payloadFaults(
  deps: IntakeDeps,
  tenantId: string,
  outcome: Extract<IntakeEntry["outcome"], { data: unknown }>,
): Promise<FieldError[]> {
  const ctx = { runtime: deps.runtime, tenantId };
  return checkPayloads(ctx, deps.catalogue, [{ event: outcome.event, data: outcome.data, at: "" }]);
}

async function bury(
  runtime: Runtime,
  tenantId: string,
  entry: IntakeEntry,
  faults: readonly FieldError[],
): Promise<void> {
  const { entryId, type, dataText, correlationId } = entry;
  const fits = dataText !== undefined && Buffer.byteLength(dataText) <= DATA_BYTES_MAX;
  runtime.log.warn({ entryId, tenantId, faults }, "entry of events:in is no event");
  await insertIntakeDeadLetter(runtime.sqlSystem, {
    id: letterId(entryId),
    tenantId,
    eventType: type === undefined ? null : storableText(type),
    message: storableText(detailOf(faults)),
    body: fits ? dataText : null,
    fields: { ...entry.fields, entryId },
    correlationId: correlationId === undefined ? null : storableText(correlationId),
    createdAt: new Date(acceptedAtOf(entryId, runtime.clock.nowMs())),
  });
}

async function keepStray(runtime: Runtime, entry: IntakeEntry): Promise<void> {
  const { entryId, tenantId, dataText = "", fields } = entry;
  runtime.log.error({ entryId, tenantId }, "entry of events:in names no tenant");
  const dataBytes = Buffer.byteLength(dataText);
  const kept = {
    ...fields,
    entryId,
    reason: tenantId === undefined ? "tenantId is missing or no UUID" : "there is no such active tenant",
    tenantId: tenantId ?? "",
    dataBytes: String(dataBytes),
    data: dataBytes <= DATA_BYTES_MAX ? dataText : "",
  };
  const flat = Object.entries(kept).flat();
  const bytes = flat.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const keep = bindScript(runtime.redis, { name: "hubKeepStray", lua });
  await keep([EVENT_INTAKE_DEAD_KEY], [STRAYS_MAX, STRAY_BYTES_MAX, bytes, ...flat]);
}

const msOf = (entryId: string): number => Number.parseInt(entryId, 10);

/** Times that a right clock puts into stream ids; other ids were made up, for example from nanoseconds. */
const AHEAD_MAX_MS = 86_400_000;
const BACK_MAX_MS = 365 * 86_400_000;

/** When an entry came in: the time of its id, or now where that is none. */
function acceptedAtOf(entryId: string, nowMs: number): number {
  const ms = msOf(entryId);
  return ms > nowMs - BACK_MAX_MS && ms < nowMs + AHEAD_MAX_MS ? ms : nowMs;
}

/** Largest time of a UUIDv7. */
const UUID_MS_MAX = 2 ** 48 - 1;

/** Id of an entry's dead letter: a UUIDv7 of the entry's time, the same at every repetition. */
function letterId(entryId: string): string {
  const hash = createHash("sha256").update(entryId).digest("hex");
  const start = floorId(Math.min(msOf(entryId), UUID_MS_MAX)).slice(0, 15);
  return `${start}${hash.slice(0, 3)}-8${hash.slice(3, 6)}-${hash.slice(6, 18)}`;
}
