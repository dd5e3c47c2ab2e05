import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { BodyEncoding } from "../inbound/receipt-schema.ts";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const NullableText = (description?: string) =>
  Nullable(Type.String(description === undefined ? {} : { description }));
const NullableId = Nullable(Type.String({ format: "uuid" }));
const NullableTime = Nullable(Type.String({ format: "date-time" }));

export const DeadLetterStatus = Type.Union([Type.Literal("OPEN"), Type.Literal("REPLAYED")], {
  description: "OPEN waits for a person. A replay that fails again makes a new dead letter.",
});

export const DeadLetterTopic = Type.Union([Type.Literal("inbound"), Type.Literal("events")], {
  description:
    "`inbound` for webhooks that could not be processed, `events` for events that are none or cannot be delivered.",
});
export type DeadLetterTopic = Static<typeof DeadLetterTopic>;

const listed = {
  id: Type.String({ format: "uuid" }),
  topic: DeadLetterTopic,
  endpointId: NullableId,
  subscriptionId: NullableId,
  receiptId: NullableId,
  eventId: NullableText(),
  eventType: NullableText(),
  reasonCode: Type.String(),
  message: NullableText(),
  attempts: Type.Integer(),
  contentType: NullableText(),
  status: DeadLetterStatus,
  isMended: Type.Boolean({ description: "True when a mended body stands beside the original." }),
  mendedAt: NullableTime,
  mendedBy: NullableText("Kind and id of who mended it."),
  replayedAt: NullableTime,
  correlationId: NullableText(),
  createdAt: Type.String({ format: "date-time" }),
  updatedAt: Type.String({ format: "date-time" }),
};

/** A dead letter as lists show it. */
export const DeadLetter = Type.Object(listed);
export type DeadLetter = Static<typeof DeadLetter>;

/** A dead letter with the body as received and the mended one. */
export const DeadLetterDetail = Type.Object({
  ...listed,
  headers: Nullable(Type.Record(Type.String(), Type.Unknown())),
  contentEncoding: NullableText(),
  body: NullableText("As received; it never changes."),
  bodyEncoding: Nullable(BodyEncoding),
  mendedBody: NullableText("What a replay processes in place of the body."),
  mendedBodyEncoding: Nullable(BodyEncoding),
  mendedContentType: NullableText(),
});
export type DeadLetterDetail = Static<typeof DeadLetterDetail>;

/** What `PUT /api/v1/dead-letters/:id` takes. */
export const MendDeadLetterInput = Type.Object(
  {
    body: Nullable(Type.String({ description: "The mended body, already decoded; null takes it back." })),
    bodyEncoding: Type.Optional(BodyEncoding),
    contentType: Type.Optional(
      Nullable(
        Type.String({
          pattern: "^[\\x21-\\x7e][\\x20-\\x7e]{0,199}$",
          description: "That of the mended body; the original's when left out.",
        }),
      ),
    ),
  },
  { additionalProperties: false },
);
export type MendDeadLetterInput = Static<typeof MendDeadLetterInput>;

/** Which open dead letters are meant; an empty filter means all of them. */
export const DeadLetterFilter = Type.Object(
  {
    endpointId: Type.Optional(Type.String({ format: "uuid" })),
    reasonCode: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    eventType: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    from: Type.Optional(Type.String({ minLength: 1, maxLength: 40, description: "RFC 3339, included." })),
    to: Type.Optional(Type.String({ minLength: 1, maxLength: 40, description: "RFC 3339, not included." })),
  },
  { additionalProperties: false },
);
export type DeadLetterFilter = Static<typeof DeadLetterFilter>;

/** What became of a replay by filter. */
export const ReplayedDeadLetters = Type.Object({
  replayed: Type.Integer(),
  skipped: Type.Integer({
    description: "Open ones that cannot be processed again: their receipt, its body or its endpoint is gone.",
  }),
  isComplete: Type.Boolean({
    description: "False when more match than one call takes; the same call goes on.",
  }),
});
export type ReplayedDeadLetters = Static<typeof ReplayedDeadLetters>;
