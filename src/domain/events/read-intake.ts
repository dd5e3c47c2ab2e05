import { withExactNumbers } from "../../platform/json/exact-numbers.ts";
import { parseJson } from "../../platform/json/parse-json.ts";
import { isUuid } from "../../platform/uuid.ts";
import type { FieldError } from "../errors.ts";
import { schemaFaults } from "../schema-faults.ts";
import { type CheckedEvent, checkEvent } from "./check-event.ts";
import { PublishedEvent } from "./schema.ts";

/** Fields that an entry of `events:in` may have, besides `tenantId` and `data`. */
const TEXT_FIELDS = ["type", "id", "occurredAt", "orderingKey"] as const;

/** One entry of `events:in`, read. */
export interface IntakeEntry {
  /** Stream id. */
  entryId: string;
  /** Lower case; undefined when the entry names no tenant. */
  tenantId: string | undefined;
  type: string | undefined;
  /** Data as it stood in the entry. */
  dataText: string | undefined;
  correlationId: string | undefined;
  traceparent: string | undefined;
  /** The other fields as they stood, for a replay. */
  fields: Record<string, string>;
  /** The event, or why it is none. */
  outcome: { event: CheckedEvent; data: unknown } | { faults: FieldError[] };
}

/**
 * Reads an entry of the intake stream by the rules of `POST /api/v1/events`. Without an `id` the entry's own place in
 * the stream gives one, so that an entry that is read twice is one event.
 *
 * @param fields flat list: `tenantId`, `type`, `data` (JSON text), and optionally `id`, `occurredAt`, `orderingKey`,
 *   `schemaVersion`, `correlationId`, `traceparent`
 */
export function readIntake(entryId: string, fields: readonly string[], nowMs: number): IntakeEntry {
  const named = new Map<string, string>();
  for (let at = 0; at + 1 < fields.length; at += 2) named.set(fields[at]!, fields[at + 1]!);
  const given = named.get("tenantId");
  const tenantId = given !== undefined && isUuid(given) ? given.toLowerCase() : undefined;
  const entry = {
    entryId,
    tenantId,
    type: named.get("type"),
    dataText: named.get("data"),
    correlationId: named.get("correlationId")?.slice(0, 100),
    traceparent: named.get("traceparent")?.slice(0, 100),
    fields: otherFields(named),
  };
  if (tenantId === undefined) return { ...entry, outcome: faults("/tenantId", "must be a tenant's id") };
  return { ...entry, outcome: readEvent(named, { entryId, tenantId, nowMs }) };
}

function readEvent(
  named: ReadonlyMap<string, string>,
  context: { entryId: string; tenantId: string; nowMs: number },
): IntakeEntry["outcome"] {
  const [odd] = [...named].find(([, value]) => value.includes("\u0000")) ?? [];
  if (odd !== undefined) return faults(`/${odd}`, "holds NUL");
  const dataText = named.get("data");
  if (dataText === undefined) return faults("/data", "is missing");
  const parsed = parseJson(Buffer.from(dataText));
  if (!parsed.ok) return faults("/data", parsed.message);
  if (!parsed.storable) return faults("/data", "holds NUL or half a surrogate pair");
  const published: Record<string, unknown> = { data: withExactNumbers(parsed.text, parsed.value) };
  for (const field of TEXT_FIELDS) if (named.has(field)) published[field] = named.get(field);
  const version = named.get("schemaVersion");
  if (version !== undefined) published["schemaVersion"] = Number(version);
  const errors = schemaFaults(PublishedEvent, published);
  if (errors.length > 0) return { faults: errors.slice(0, 10) };
  published["id"] ??= `events:in/${context.entryId}`;
  const { tenantId, nowMs } = context;
  const checked = checkEvent(published as PublishedEvent, { tenantId, nowMs, at: "" });
  if (Array.isArray(checked)) return { faults: checked };
  // The place in the stream is no id that the publisher would know.
  const event = named.has("id") ? checked : { ...checked, externalId: undefined };
  return { event, data: parsed.value };
}

function faults(path: string, message: string): { faults: FieldError[] } {
  return { faults: [{ path, message }] };
}

/** Longest field besides the data that is kept of a dead entry, and how many of them. */
const FIELD_CHARS_MAX = 500;
const FIELDS_MAX = 20;

function otherFields(named: ReadonlyMap<string, string>): Record<string, string> {
  const others = [...named].filter(([name]) => name !== "tenantId" && name !== "data").slice(0, FIELDS_MAX);
  return Object.fromEntries(
    others.map(([name, value]) => [name.slice(0, 100), value.slice(0, FIELD_CHARS_MAX)]),
  );
}
