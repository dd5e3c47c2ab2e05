import { type Static, type TSchema, Type } from "@sinclair/typebox";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const JsonSchema = Type.Record(Type.String(), Type.Unknown(), {
  description: "JSON Schema of `data`, draft 2020-12 or draft-07; null: anything.",
});

/** Body of a PUT: fields present are changed, null resets. */
export const PutEventTypeInput = Type.Object(
  {
    description: Type.Optional(Nullable(Type.String({ maxLength: 2000 }))),
    schema: Type.Optional(Nullable(JsonSchema)),
    sample: Type.Optional(Type.Unknown({ description: "A payload that fits the schema." })),
  },
  { additionalProperties: false },
);
export type PutEventTypeInput = Static<typeof PutEventTypeInput>;

const listed = {
  type: Type.String({ description: "Dotted, lower case." }),
  origin: Type.Union([Type.Literal("HUB"), Type.Literal("PLATFORM"), Type.Literal("TENANT")], {
    description:
      "HUB: published by the hub itself. PLATFORM: known from the start. TENANT: described or refined by this tenant.",
  }),
  description: Nullable(Type.String()),
  version: Nullable(Type.Integer({ description: "Newest version of the schema; null while there is none." })),
  schema: Nullable(JsonSchema),
  sample: Type.Unknown(),
  createdAt: Nullable(Type.String({ format: "date-time" })),
  updatedAt: Nullable(Type.String({ format: "date-time" })),
};

/** An event type as lists show it, with its newest version. */
export const EventType = Type.Object(listed);
export type EventType = Static<typeof EventType>;

/** An event type with all its versions, newest first. */
export const EventTypeDetail = Type.Object({
  ...listed,
  versions: Type.Array(
    Type.Object({
      version: Type.Integer(),
      schema: Nullable(JsonSchema),
      sample: Type.Unknown(),
      createdAt: Type.String({ format: "date-time" }),
    }),
  ),
});
export type EventTypeDetail = Static<typeof EventTypeDetail>;
