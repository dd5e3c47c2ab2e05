import { type Static, type TSchema, Type } from "@sinclair/typebox";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Timestamp = Type.String({ format: "date-time" });
const Bound = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 40, description }));

export const ReplayFilter = Type.Object(
  {
    status: Type.Optional(
      Type.Union([Type.Literal("FAILED"), Type.Literal("DELIVERED")], {
        description:
          "How the deliveries ended; FAILED when left out. What a replay delivered since is left out.",
      }),
    ),
    eventType: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 100,
        description: "An event type, or its beginning before `*`.",
      }),
    ),
    from: Bound("RFC 3339, included; the time of the last attempt."),
    to: Bound("RFC 3339, not included."),
  },
  { additionalProperties: false },
);
export type ReplayFilter = Static<typeof ReplayFilter>;

/** One delivery, or all that a filter matches; an empty body means everything that failed. */
export const ReplayInput = Type.Object(
  {
    deliveryId: Type.Optional(
      Type.String({ format: "uuid", description: "One delivery, whatever became of it." }),
    ),
    filter: Type.Optional(ReplayFilter),
    ratePerSecond: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10_000,
        description: "Deliveries a second; as fast as they go when left out.",
      }),
    ),
    dryRun: Type.Optional(Type.Boolean({ description: "Only tell how many deliveries match." })),
  },
  { additionalProperties: false },
);
export type ReplayInput = Static<typeof ReplayInput>;

export const ReplayStarted = Type.Object({
  replayId: Nullable(Type.String({ format: "uuid", description: "null for a dry run." })),
  matched: Type.Integer({ description: "Deliveries that are sent again." }),
});
export type ReplayStarted = Static<typeof ReplayStarted>;

export const Replay = Type.Object({
  id: Type.String({ format: "uuid" }),
  subscriptionId: Type.String({ format: "uuid" }),
  deliveryId: Nullable(Type.String({ format: "uuid" })),
  filter: Nullable(ReplayFilter),
  ratePerSecond: Nullable(Type.Integer()),
  status: Type.Union(
    [
      Type.Literal("PENDING"),
      Type.Literal("RUNNING"),
      Type.Literal("COMPLETED"),
      Type.Literal("FAILED"),
      Type.Literal("CANCELLED"),
    ],
    {
      description:
        "COMPLETED: all are on their way; `delivered` and `failed` tell how many have ended, and the rest can be cancelled.",
    },
  ),
  matched: Type.Integer({ description: "Deliveries to be sent again." }),
  replayed: Type.Integer({ description: "Of these, put on their way." }),
  delivered: Type.Integer({ description: "Of these, delivered." }),
  failed: Type.Integer({ description: "Of these, failed for good." }),
  errorMessage: Nullable(Type.String()),
  startedAt: Nullable(Timestamp),
  completedAt: Nullable(Timestamp),
  createdAt: Timestamp,
});
export type Replay = Static<typeof Replay>;
