import { type Static, type TSchema, Type } from "@sinclair/typebox";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Timestamp = Type.String({ format: "date-time" });
const Uuid = Type.String({ format: "uuid" });

export const AttemptStatus = Type.Union(
  [Type.Literal("DELIVERED"), Type.Literal("RETRYING"), Type.Literal("FAILED")],
  { description: "RETRYING: it failed and is repeated at nextRetryAt. FAILED: it was the last one." },
);

export const DeliveryTriggerName = Type.Union(
  [Type.Literal("EVENT"), Type.Literal("REPLAY"), Type.Literal("TEST")],
  { description: "What asked for the delivery." },
);

/** What a test sends. */
export const TestInput = Type.Object(
  {
    eventType: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 100,
        description: "A type of the catalogue, whose sample is sent; `webhook.test` when left out.",
      }),
    ),
  },
  { additionalProperties: false },
);

/** One attempt: a row of the history. */
export const DeliveryAttempt = Type.Object({
  id: Uuid,
  deliveryId: Type.String({ format: "uuid", description: "The same for all attempts of one delivery." }),
  subscriptionId: Uuid,
  eventId: Uuid,
  eventType: Type.String(),
  trigger: DeliveryTriggerName,
  replayId: Nullable(Uuid),
  attemptNumber: Type.Integer(),
  status: AttemptStatus,
  requestUrl: Type.String(),
  responseStatus: Nullable(Type.Integer()),
  responseTimeMs: Nullable(Type.Integer()),
  errorCode: Nullable(Type.String()),
  errorMessage: Nullable(Type.String()),
  nextRetryAt: Nullable(Timestamp),
  createdAt: Timestamp,
});
export type DeliveryAttempt = Static<typeof DeliveryAttempt>;

/** An attempt with what was sent and answered; secrets are blanked. */
export const DeliveryAttemptDetail = Type.Composite([
  DeliveryAttempt,
  Type.Object({
    requestHeaders: Nullable(Type.Record(Type.String(), Type.Unknown())),
    responseHeaders: Nullable(Type.Record(Type.String(), Type.Unknown())),
    responseBody: Nullable(Type.String({ description: "As text; base64 when it is no UTF-8." })),
    responseBodyEncoding: Nullable(Type.Union([Type.Literal("utf8"), Type.Literal("base64")])),
  }),
]);
export type DeliveryAttemptDetail = Static<typeof DeliveryAttemptDetail>;

export const DeliveryStatus = Type.Union(
  [
    Type.Literal("DELIVERED"),
    Type.Literal("FAILED"),
    Type.Literal("RETRYING"),
    Type.Literal("HELD"),
    Type.Literal("PARKED"),
    Type.Literal("WAITING"),
    Type.Literal("CANCELLED"),
  ],
  {
    description:
      "HELD: the subscription is paused or disabled. PARKED: behind an earlier delivery of its ordering key.",
  },
);
export type DeliveryStatus = Static<typeof DeliveryStatus>;

/** One delivery: where it stands, what is sent, and its attempts, oldest first. */
export const DeliveryDetail = Type.Object({
  id: Uuid,
  subscriptionId: Uuid,
  eventId: Uuid,
  eventType: Type.String(),
  trigger: DeliveryTriggerName,
  replayId: Nullable(Uuid),
  status: DeliveryStatus,
  nextRetryAt: Nullable(Timestamp),
  requestBody: Nullable(Type.String({ description: "What is sent; null when it was not kept." })),
  attempts: Type.Array(DeliveryAttemptDetail),
});
export type DeliveryDetail = Static<typeof DeliveryDetail>;

export const SubscriptionStatistics = Type.Object({
  subscriptionId: Uuid,
  totalSent: Type.Integer({ description: "Deliveries whose first attempt was made." }),
  totalDelivered: Type.Integer(),
  totalFailed: Type.Integer({ description: "Deliveries that were given up." }),
  consecutiveFailures: Type.Integer({ description: "Failed attempts since the last 2xx; 10 disable." }),
  responseTimeMs: Type.Object(
    { p50: Nullable(Type.Number()), p95: Nullable(Type.Number()), attempts: Type.Integer() },
    { description: "Over the latest attempts, at most 1,000." },
  ),
  open: Type.Object({
    retrying: Type.Integer(),
    held: Type.Integer({ description: "Until the subscription is resumed." }),
    parked: Type.Integer({ description: "Behind a delivery of their ordering key that failed." }),
    waiting: Type.Integer({ description: "For their first try: behind a rate or others, or in flight." }),
  }),
  nextRetryAt: Nullable(Timestamp),
  lastTriggeredAt: Nullable(Timestamp),
  lastSuccessAt: Nullable(Timestamp),
  lastFailureAt: Nullable(Timestamp),
});
export type SubscriptionStatistics = Static<typeof SubscriptionStatistics>;
