import { withDoubles } from "../../platform/json/exact-numbers.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { type FieldError, HubError } from "../errors.ts";
import type { CheckedEvent } from "./check-event.ts";
import type { EventTypeCatalogue, PayloadRule } from "./event-type-catalogue.ts";

/** Faults that are told of one payload, and of all before only the first of each further one is. */
const PAYLOAD_FAULTS_MAX = 10;
const FAULTS_MAX = 100;

/** One event with its payload as parsed, and the JSON pointer of the event in its request. */
export interface Payload {
  event: CheckedEvent;
  data: unknown;
  at: string;
}

/**
 * Holds payloads to the schemas of their types, and writes into each event the version that it was held to.
 *
 * @returns up to ten faults of each payload that does not fit; the first one of large payloads, and of those after many
 * @throws HubError 503 `unavailable` when a schema cannot be looked up: what it would say is unknown
 */
export async function checkPayloads(
  ctx: { runtime: Runtime; tenantId: string },
  catalogue: EventTypeCatalogue,
  payloads: readonly Payload[],
): Promise<FieldError[]> {
  const rules = new Map<string, PayloadRule | undefined>();
  const errors: FieldError[] = [];
  for (const { event, data, at } of payloads) {
    const key = `${event.type}/${event.schemaVersion ?? ""}`;
    if (!rules.has(key)) rules.set(key, await ruleOf(ctx, catalogue, event));
    const rule = rules.get(key);
    if (rule === undefined) {
      errors.push({ path: `${at}/schemaVersion`, message: `is no version of ${event.type}` });
      continue;
    }
    const max = errors.length < FAULTS_MAX ? PAYLOAD_FAULTS_MAX : 1;
    const faults = rule.check?.(withDoubles(event.data, data), event.dataSize, max) ?? [];
    for (const fault of faults) errors.push({ path: `${at}/data${fault.path}`, message: fault.message });
    event.schemaVersion = rule.version;
  }
  return errors;
}

async function ruleOf(
  ctx: { runtime: Runtime; tenantId: string },
  catalogue: EventTypeCatalogue,
  event: CheckedEvent,
): Promise<PayloadRule | undefined> {
  try {
    return await catalogue.ruleOf(ctx.tenantId, event.type, event.schemaVersion);
  } catch (error) {
    ctx.runtime.log.warn({ err: error }, "schema of an event type not read");
    throw new HubError("unavailable", undefined, { retryAfterSeconds: 1 });
  }
}
