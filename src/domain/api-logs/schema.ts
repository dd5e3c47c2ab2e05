import { type Static, type TSchema, Type } from "@sinclair/typebox";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Uuid = Type.String({ format: "uuid" });
const Document = Type.Record(Type.String(), Type.Unknown());

const Direction = Type.Union([Type.Literal("INBOUND"), Type.Literal("OUTBOUND")]);

const Status = Type.Union([
  Type.Literal("SUCCESS"),
  Type.Literal("CLIENT_ERROR"),
  Type.Literal("SERVER_ERROR"),
  Type.Literal("TIMEOUT"),
]);

const BodyEncoding = Nullable(
  Type.Union([Type.Literal("utf8"), Type.Literal("base64")], {
    description:
      "How the bytes stand in JSON: as text when they are UTF-8, else as base64; null without a body.",
  }),
);

/** A log row in lists: without headers, parameters and bodies. */
export const ApiLog = Type.Object({
  id: Uuid,
  integrationId: Nullable(Uuid),
  endpointId: Nullable(Uuid),
  receiptId: Nullable(Uuid),
  direction: Direction,
  method: Type.String(),
  url: Type.String(),
  path: Nullable(Type.String()),
  bodySize: Nullable(Type.Integer()),
  responseStatus: Nullable(Type.Integer()),
  responseSize: Nullable(Type.Integer()),
  responseTimeMs: Nullable(Type.Integer()),
  correlationId: Nullable(Type.String()),
  userId: Nullable(Uuid),
  sourceIp: Nullable(Type.String()),
  status: Status,
  errorCode: Nullable(Type.String()),
  errorMessage: Nullable(Type.String()),
  attemptNumber: Nullable(Type.Integer()),
  retryOf: Nullable(Uuid),
  createdAt: Type.String({ format: "date-time" }),
});
export type ApiLog = Static<typeof ApiLog>;

/** One log row with all that was stored of the exchange; secrets were removed before storing. */
export const ApiLogDetail = Type.Composite([
  ApiLog,
  Type.Object({
    queryParams: Nullable(Document),
    headers: Nullable(Document),
    body: Nullable(
      Type.String({
        description: "Redacted and cut at LOG_BODY_MAX_BYTES; an inbound webhook's comes from its receipt.",
      }),
    ),
    bodyEncoding: BodyEncoding,
    responseHeaders: Nullable(Document),
    responseBody: Nullable(Type.String()),
    responseBodyEncoding: BodyEncoding,
    traceparent: Nullable(Type.String()),
    timings: Nullable(
      Type.Record(Type.String(), Type.Number(), {
        description:
          "Milliseconds of a call out: `queue` (place in the queue), `limiter` (admission), `refresh` (credential), " +
          "`connect` and `firstByte` (from the start of the exchange), `total`.",
      }),
    ),
  }),
]);
export type ApiLogDetail = Static<typeof ApiLogDetail>;

/** What a search asks for; every part that is given must fit. */
export interface ApiLogFilter {
  /** RFC 3339; the last 24 hours when neither is given. */
  from?: string | undefined;
  to?: string | undefined;
  status?: ApiLog["status"] | undefined;
  direction?: ApiLog["direction"] | undefined;
  method?: string | undefined;
  /** Part of the URL, in any case. */
  url?: string | undefined;
  correlationId?: string | undefined;
  endpointId?: string | undefined;
  integrationId?: string | undefined;
  limit?: number | undefined;
  cursor?: string | undefined;
}
