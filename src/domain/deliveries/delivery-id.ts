import { createHash } from "node:crypto";

/** Namespace of delivery ids (RFC 9562 section 5.5), chosen once at random. */
const NAMESPACE = "9f0d3c54-6a1e-4b7c-8f5e-2d1b7a90c3e6";

/** What makes a delivery: the same three make the same id, however often fan-out is repeated. */
export interface DeliveryName {
  eventId: string;
  subscriptionId: string;
  /** Set for a replay: each replay of an event is a delivery of its own. */
  replayId?: string | undefined;
}

/** Id of a delivery: a UUIDv5 of its name. */
export function deliveryIdOf({ eventId, subscriptionId, replayId }: DeliveryName): string {
  const hex = Bun.SHA1.hash(NAMESPACE + eventId + subscriptionId + (replayId ?? ""), "hex");
  const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** What stands in a subscription's queue for one delivery. */
export interface QueueMember {
  eventId: string;
  /** `acceptedAt` of the event: finds its row. */
  eventCreatedAtMs: number;
  replayId?: string | undefined;
}

/**
 * A member of a subscription's queue: `<event>.<time>`, for replays `<event>.<time>.<replay>`; ids as 22 characters, because
 * a million of them wait when a large receiver is down.
 */
export function encodeMember({ eventId, eventCreatedAtMs, replayId }: QueueMember): string {
  const text = `${packId(eventId)}.${eventCreatedAtMs.toString(36)}`;
  return replayId === undefined ? text : `${text}.${packId(replayId)}`;
}

/** Reads what `encodeMember` wrote. */
export function decodeMember(member: string): QueueMember {
  const [event, time, replay] = member.split(".") as [string, string, string?];
  const name = { eventId: unpackId(event), eventCreatedAtMs: Number.parseInt(time, 36) };
  return replay === undefined ? name : { ...name, replayId: unpackId(replay) };
}

/** 22 characters for an ordering key of a subscription; the key may be long and hold anything. */
export function hashOrder(subscriptionId: string, orderingKey: string): string {
  return createHash("sha256").update(subscriptionId).update(orderingKey).digest("base64url").slice(0, 22);
}

function packId(id: string): string {
  return Buffer.from(id.replaceAll("-", ""), "hex").toString("base64url");
}

function unpackId(text: string): string {
  const hex = Buffer.from(text, "base64url").toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
