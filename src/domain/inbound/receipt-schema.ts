import { type Static, type TSchema, Type } from "@sinclair/typebox";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const NullableText = (description?: string) =>
  Nullable(Type.String(description === undefined ? {} : { description }));

/** States of a receipt (DESIGN.md section 8). */
export const ReceiptStatus = Type.Union(
  [
    Type.Literal("PROCESSED"),
    Type.Literal("FILTERED"),
    Type.Literal("DUPLICATE"),
    Type.Literal("RETRYING"),
    Type.Literal("HELD"),
    Type.Literal("DEAD"),
    Type.Literal("CANCELLED"),
  ],
  { description: "RETRYING waits for its next try, HELD for a paused endpoint; the others are final." },
);

/** How bytes stand in JSON. */
export const BodyEncoding = Type.Union([Type.Literal("utf8"), Type.Literal("base64")], {
  description: "`base64` where the bytes are no UTF-8.",
});
export type BodyEncoding = Static<typeof BodyEncoding>;

const listed = {
  id: Type.String({ format: "uuid" }),
  endpointId: Type.String({ format: "uuid" }),
  integrationId: Nullable(Type.String({ format: "uuid" })),
  eventId: NullableText("The sender's id of the event; null when it gave none."),
  eventType: NullableText(),
  status: ReceiptStatus,
  attemptCount: Type.Integer(),
  nextRetryAt: Nullable(Type.String({ format: "date-time" })),
  errorCode: NullableText(),
  errorMessage: NullableText(),
  targetService: NullableText(),
  method: NullableText(),
  path: NullableText(),
  contentType: NullableText(),
  bodySize: Type.Integer({ description: "Bytes as received." }),
  bodyDropped: Type.Boolean({ description: "True when LOG_REQUEST_BODIES=false dropped it once PROCESSED." }),
  sourceIp: NullableText(),
  correlationId: NullableText(),
  duplicateOf: Nullable(Type.String({ format: "uuid", description: "First receipt of the same event." })),
  processedAt: Nullable(Type.String({ format: "date-time" })),
  createdAt: Type.String({ format: "date-time", description: "When it was accepted." }),
};

/** A receipt as lists show it. */
export const Receipt = Type.Object(listed);
export type Receipt = Static<typeof Receipt>;

/** A receipt with what was received and what was routed. */
export const ReceiptDetail = Type.Object({
  ...listed,
  eventKey: Type.String({ description: "Dedupe key: a hash over endpoint and event id." }),
  query: NullableText(),
  headers: Nullable(
    Type.Record(Type.String(), Type.Unknown(), { description: "As received, without secret ones." }),
  ),
  contentEncoding: NullableText(),
  body: NullableText("As received, byte for byte; null when it was dropped."),
  bodyEncoding: Nullable(BodyEncoding),
  output: NullableText("What was routed, where a transformation made it differ from the body."),
  outputEncoding: Nullable(BodyEncoding),
  traceparent: NullableText(),
});
export type ReceiptDetail = Static<typeof ReceiptDetail>;
