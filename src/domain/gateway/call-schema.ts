import { type Static, type TSchema, Type } from "@sinclair/typebox";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Time = Type.String({ format: "date-time" });

/** A call that is done later, as the API shows it. */
export const GatewayCall = Type.Object({
  id: Type.String({ format: "uuid" }),
  integrationId: Type.String({ format: "uuid" }),
  method: Type.String(),
  target: Type.String({ description: "Path below the provider's base address, with its query." }),
  status: Type.Union([
    Type.Literal("QUEUED"),
    Type.Literal("RUNNING"),
    Type.Literal("DONE"),
    Type.Literal("FAILED"),
  ]),
  createdAt: Time,
  finishedAt: Nullable(Time),
  expiresAt: Time,
  attempts: Type.Integer(),
  logId: Nullable(Type.String({ format: "uuid" })),
  response: Nullable(
    Type.Object({
      status: Type.Integer(),
      headers: Type.Record(Type.String(), Type.String()),
      body: Type.String(),
      bodyEncoding: Type.Union([Type.Literal("utf8"), Type.Literal("base64")]),
      bodyTruncated: Type.Boolean(),
    }),
  ),
  error: Nullable(
    Type.Object({
      code: Type.String(),
      message: Type.String(),
      errors: Type.Optional(
        Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), {
          description: "What of the body does not fit its template.",
        }),
      ),
    }),
  ),
});
export type GatewayCall = Static<typeof GatewayCall>;
