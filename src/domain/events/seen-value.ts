import { createHash } from "node:crypto";

/** Characters of base64url that stand for an event's content: 72 bits. */
const CONTENT_CHARS = 12;

/** What is remembered under an event's id. */
export interface SeenValue {
  /** Time of the first acceptance, milliseconds since the epoch. */
  acceptedAt: number;
  /** Hash of type, ordering key and data. */
  content: string;
}

/** Field under which an event's id is remembered: 12 bytes of a hash, because ids are remembered by the million. */
export function seenField(tenantId: string, eventId: string): string {
  return createHash("sha256").update(`${tenantId}/${eventId}`).digest("base64url").slice(0, 16);
}

/** Hash of what makes two events with one id the same event. */
export function contentHash(event: { type: string; orderingKey?: string | undefined; data: string }): string {
  const { type, orderingKey = "", data } = event;
  return createHash("sha256")
    .update(`${type}\n${orderingKey.length}:${orderingKey}\n${data}`)
    .digest("base64url")
    .slice(0, CONTENT_CHARS);
}

export function writeSeenValue(value: SeenValue): string {
  return value.content + value.acceptedAt.toString(36);
}

export function readSeenValue(text: string): SeenValue {
  return {
    content: text.slice(0, CONTENT_CHARS),
    acceptedAt: Number.parseInt(text.slice(CONTENT_CHARS), 36),
  };
}
