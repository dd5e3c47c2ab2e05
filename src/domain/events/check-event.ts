import type { FieldError } from "../errors.ts";
import { readTime } from "../read-times.ts";
import { isUuid, newId } from "../../platform/uuid.ts";
import { EVENT_TYPE_MAX, isOwnType, readEventType } from "./event-type.ts";
import { DATA_BYTES_MAX, type PublishedEvent } from "./schema.ts";
import { contentHash } from "./seen-value.ts";

/** An event as it will be accepted, except for what only its schema can say. */
export interface CheckedEvent {
  id: string;
  externalId: string | undefined;
  type: string;
  occurredAt: number;
  orderingKey: string | undefined;
  schemaVersion: number | undefined;
  /** JSON text and its bytes. */
  data: string;
  dataSize: number;
}

/** How far a publisher's clock may be ahead. */
const AHEAD_MAX_MS = 86_400_000;

/**
 * Judges one published event by all that needs no look-up, and makes its id: a UUID stays, another text gives a UUIDv5
 * in the tenant's namespace, so that two tenants' equal ids are different events. Left out, it is a UUIDv7, or under an
 * `Idempotency-Key` a UUIDv5 of the key, the event's place and its content, so that the same request after a lost answer
 * has the same ids.
 *
 * @param context.at JSON pointer of the event in the request body
 * @returns the event, or every fault
 */
export function checkEvent(
  event: PublishedEvent,
  context: { tenantId: string; nowMs: number; at: string; idempotencyKey?: string | undefined },
): CheckedEvent | FieldError[] {
  const { tenantId, nowMs, at, idempotencyKey } = context;
  const errors: FieldError[] = [];
  const type = readEventType(event.type);
  if (type === undefined) {
    const message = `must be dotted words in lower case of at most ${EVENT_TYPE_MAX} characters, as in order.created`;
    errors.push({ path: `${at}/type`, message });
  } else if (isOwnType(type)) {
    errors.push({ path: `${at}/type`, message: "is a type that only the hub itself publishes" });
  }
  const occurredAt = event.occurredAt === undefined ? nowMs : readTime(event.occurredAt);
  if (occurredAt === undefined || occurredAt > nowMs + AHEAD_MAX_MS) {
    errors.push({
      path: `${at}/occurredAt`,
      message: "must be a time as in RFC 3339, from 1970 to at most a day ahead",
    });
  }
  const data = JSON.stringify(event.data);
  const dataSize = Buffer.byteLength(data);
  if (dataSize > DATA_BYTES_MAX)
    errors.push({ path: `${at}/data`, message: `must be at most ${DATA_BYTES_MAX} bytes` });
  if (errors.length > 0) return errors;
  const { orderingKey, schemaVersion } = event;
  const content = { type: type!, orderingKey, data };
  const madeId = (): string =>
    idempotencyKey === undefined
      ? newId(nowMs)
      : Bun.randomUUIDv5(`${idempotencyKey}\n${at}\n${contentHash(content)}`, tenantId);
  return {
    ...(event.id === undefined ? { id: madeId(), externalId: undefined } : identify(event.id, tenantId)),
    ...content,
    occurredAt: occurredAt!,
    schemaVersion,
    dataSize,
  };
}

function identify(given: string, tenantId: string): { id: string; externalId: string | undefined } {
  if (isUuid(given)) return { id: given.toLowerCase(), externalId: undefined };
  return { id: Bun.randomUUIDv5(given, tenantId), externalId: given };
}
