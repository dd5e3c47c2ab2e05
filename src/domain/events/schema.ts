import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { EVENT_TYPE_MAX } from "./event-type.ts";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** Events of one request. */
export const BATCH_EVENTS_MAX = 1_000;

/** Bytes of one event's `data` as JSON. Receivers refuse far less. */
export const DATA_BYTES_MAX = 1024 * 1024;

/** Bytes of one request: a thousand events of 8 KB. */
export const PUBLISH_BYTES_MAX = 8 * 1024 * 1024;

/** One event as it is published. */
export const PublishedEvent = Type.Object(
  {
    type: Type.String({
      minLength: 1,
      maxLength: EVENT_TYPE_MAX,
      description: "Dotted, as in `order.created`; `ORDER_CREATED` is stored so.",
    }),
    id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description:
          "The event's own id, under which a repetition is recognised. What is no UUID is kept as externalId and gives " +
          "a UUIDv5 within the tenant. Left out: the hub makes one, and a repetition is another event, unless the " +
          "request has an `Idempotency-Key`.",
      }),
    ),
    occurredAt: Type.Optional(
      Type.String({ minLength: 20, maxLength: 40, description: "RFC 3339; now when left out." }),
    ),
    orderingKey: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: "Events of one key keep the order in which they were published.",
      }),
    ),
    schemaVersion: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 2_147_483_647,
        description: "Version of the type's schema that `data` fits; the newest when left out.",
      }),
    ),
    data: Type.Unknown({ description: "Any JSON of at most 1 MiB." }),
  },
  { additionalProperties: false },
);
export type PublishedEvent = Static<typeof PublishedEvent>;

/** Body of a POST: one event's fields, or `events`: a batch that is taken whole or refused whole. */
export const PublishInput = Type.Object(
  {
    ...Type.Partial(PublishedEvent).properties,
    events: Type.Optional(
      Type.Array(PublishedEvent, {
        minItems: 1,
        maxItems: BATCH_EVENTS_MAX,
        description: "A batch, in place of one event's fields.",
      }),
    ),
  },
  { additionalProperties: false, description: "One event (`type` and `data` are needed), or a batch." },
);
export type PublishInput = Static<typeof PublishInput>;

const receipt = {
  id: Type.String({ format: "uuid" }),
  externalId: Nullable(Type.String()),
  status: Type.Union([Type.Literal("accepted"), Type.Literal("duplicate")], {
    description: "duplicate: it was accepted before under this id and is not delivered again.",
  }),
  isConflict: Type.Boolean({
    description: "True for a duplicate whose type, key or data differ from what was accepted first.",
  }),
};

/** What became of one published event. */
export const PublishReceipt = Type.Object(receipt);
export type PublishReceipt = Static<typeof PublishReceipt>;

/** Answer of a POST: of one event, or of each one of a batch in its order. */
export const PublishAnswer = Type.Union([
  PublishReceipt,
  Type.Object({ events: Type.Array(PublishReceipt) }),
]);
export type PublishAnswer = Static<typeof PublishAnswer>;

const Timestamp = Type.String({ format: "date-time" });

const listed = {
  id: Type.String({ format: "uuid" }),
  type: Type.String(),
  source: Type.Union([Type.Literal("API"), Type.Literal("HUB")], {
    description: "API: published by the platform. HUB: by the hub itself.",
  }),
  externalId: Nullable(Type.String()),
  orderingKey: Nullable(Type.String()),
  schemaVersion: Nullable(Type.Integer()),
  dataSize: Type.Integer({ description: "Bytes of the data as JSON." }),
  correlationId: Nullable(Type.String()),
  occurredAt: Timestamp,
  createdAt: Type.String({ format: "date-time", description: "When the hub accepted it." }),
};

/** An event as lists show it. */
export const Event = Type.Object(listed);
export type Event = Static<typeof Event>;

/** The newest attempt, or the waiting state, of one delivery of an event. */
export const EventDelivery = Type.Object({
  deliveryId: Nullable(Type.String({ format: "uuid" })),
  subscriptionId: Type.String({ format: "uuid" }),
  trigger: Type.String({ description: "EVENT, REPLAY or TEST." }),
  status: Type.String({
    description:
      "DELIVERED, FAILED, RETRYING; HELD, PARKED or WAITING while it is not being tried; CANCELLED with its subscription " +
      "or replay.",
  }),
  attempts: Type.Integer(),
  responseStatus: Nullable(Type.Integer()),
  errorCode: Nullable(Type.String()),
  nextRetryAt: Nullable(Timestamp),
  lastAttemptAt: Nullable(Timestamp),
});
export type EventDelivery = Static<typeof EventDelivery>;

/** An event with its data and what became of it at each subscription. */
export const EventDetail = Type.Object({
  ...listed,
  data: Type.Unknown(),
  deliveries: Type.Array(EventDelivery, { description: "At most 200, newest first." }),
});
export type EventDetail = Static<typeof EventDetail>;
