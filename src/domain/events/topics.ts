/**
 * Contracts of what travels through the streams. A leaf: senders and handlers meet here and in the worker's registry.
 */

/** One accepted inbound request, as edge puts it into the partition's stream. */
export interface InboundMessage {
  /** Receipt id, UUIDv7; its time is `created_at`. */
  id: string;
  tenantId: string;
  endpointId: string;
  /** 16 characters of base64url over endpoint and event id: the dedupe key. */
  eventKey: string;
  eventId: string | null;
  eventType: string | null;
  /** Path and query as received; a secret in the query is blanked. */
  path: string;
  /** Header names in lower case; secret ones are left out. */
  headers: Record<string, string>;
  sourceIp: string | null;
  /** X-Request-Id: `correlation_id` of the log rows. */
  requestId: string;
  /** `utf8`: the body is text of the same bytes; `base64`: it is not UTF-8; `large`: it is in `large_bodies` under the receipt's id. */
  bodyEncoding: "utf8" | "base64" | "large";
  bodySize: number;
}

/** A receipt that is in Postgres already and due again: after a retry's wait, a resume or a replay. */
export interface InboundReference {
  id: string;
  tenantId: string;
  endpointId: string;
  reference: true;
}

/** Fields of a stream entry: `m` is the message as JSON, `b` the body (left out for references and large bodies). */
export type InboundEntry =
  | { message: InboundMessage; body: Uint8Array | undefined }
  | { message: InboundReference; body: undefined };

/**
 * Reads a stream entry's flat field list.
 *
 * @throws SyntaxError when the entry is none of ours
 */
export function decodeInboundEntry(fields: readonly string[]): InboundEntry {
  let metaText = "";
  let bodyText: string | undefined;
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index] === "m") metaText = fields[index + 1]!;
    else if (fields[index] === "b") bodyText = fields[index + 1]!;
  }
  const message = JSON.parse(metaText) as InboundMessage | InboundReference;
  if ("reference" in message) return { message, body: undefined };
  if (message.bodyEncoding === "large") return { message, body: undefined };
  // An empty body is left out of the entry.
  return {
    message,
    body: Buffer.from(bodyText ?? "", message.bodyEncoding === "base64" ? "base64" : "utf8"),
  };
}

/** Outcomes that end an entry of the inbound topic; together with what is in flight and held they equal `accepted`. */
export const INBOUND_OUTCOMES = ["processed", "filtered", "duplicate", "dead", "cancelled"] as const;

export type InboundOutcome = (typeof INBOUND_OUTCOMES)[number];

/** One published event, as it stands in its partition's stream. */
export interface EventMessage {
  /** UUID: the publisher's own, a UUIDv5 of its `externalId`, or a UUIDv7 of the hub's. */
  id: string;
  tenantId: string;
  /** Dotted, lower case. */
  type: string;
  /** API: published by the platform; HUB: by the hub itself. */
  source: "API" | "HUB";
  /** When it happened, as its publisher says; milliseconds since the epoch. */
  occurredAt: number;
  /**
   * When the hub took it first, milliseconds since the epoch: `created_at` of its row. It travels in the message,
   * because a publisher's id holds no time: a repeated insert meets the first one by (tenant, id, acceptedAt).
   */
  acceptedAt: number;
  /** The publisher's own id when it is no UUID. */
  externalId?: string;
  orderingKey?: string;
  /** Version of the type's schema that `data` was checked against. */
  schemaVersion?: number;
  correlationId?: string;
  traceparent?: string;
  /** `utf8`: field `b` holds the JSON text of `data`; `large`: it stands in `large_bodies` under `largeBodyId`. */
  bodyEncoding: "utf8" | "large";
  largeBodyId?: string;
  /** Bytes of the JSON text of `data`. */
  bodySize: number;
}

/**
 * Reads an event's stream entry. `data` is undefined when it is large: then it is in Postgres.
 *
 * @throws SyntaxError or TypeError when the entry is none of ours
 */
export function decodeEventEntry(fields: readonly string[]): {
  message: EventMessage;
  data: string | undefined;
} {
  let metaText = "";
  let data: string | undefined;
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index] === "m") metaText = fields[index + 1]!;
    else if (fields[index] === "b") data = fields[index + 1]!;
  }
  const message = JSON.parse(metaText) as EventMessage;
  if (typeof message.id !== "string" || (message.bodyEncoding !== "large" && data === undefined)) {
    throw new TypeError("the entry holds no event");
  }
  return { message, data };
}

/**
 * Outcomes that end an entry of the event topic; with what is in the streams they equal `accepted`. processed: fanned
 * out to at least one subscription; filtered: none matched; duplicate: its row was there before; dead: it cannot be
 * fanned out.
 */
export const EVENT_OUTCOMES = ["processed", "filtered", "duplicate", "dead", "cancelled"] as const;

export type EventOutcome = (typeof EVENT_OUTCOMES)[number];
