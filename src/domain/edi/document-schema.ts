import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { StoredTemplate } from "../transformations/schema.ts";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Timestamp = Type.String({ format: "date-time" });

const ReadableSet = Type.Record(Type.String(), Type.Unknown());

export const SendDocumentInput = Type.Object(
  {
    sets: Type.Optional(
      Type.Array(ReadableSet, {
        minItems: 1,
        maxItems: 1_000,
        description: "Sets of one interchange as readable JSON: segments and loops by id, `ST.ST01` the code",
        examples: [[{ ST: { ST01: "990" }, B1: { B101: "SCAC", B102: "L-77", B104: "A" } }]],
      }),
    ),
    template: Type.Optional(StoredTemplate),
    input: Type.Optional(Type.Unknown({ description: "What the template maps to X12, instead of `sets`" })),
  },
  { additionalProperties: false },
);
export type SendDocumentInput = Static<typeof SendDocumentInput>;

export const EdiDocument = Type.Object({
  id: Type.String({ format: "uuid" }),
  partnerId: Type.String({ format: "uuid" }),
  kind: Type.Union([Type.Literal("ACKNOWLEDGMENT"), Type.Literal("DOCUMENT")]),
  setCodes: Type.Array(Type.String()),
  interchangeControlNumber: Type.Integer(),
  functionalId: Nullable(Type.String({ description: "GS01" })),
  groupControlNumber: Nullable(Type.Integer()),
  status: Type.Union(
    [
      Type.Literal("WRITTEN"),
      Type.Literal("ACCEPTED"),
      Type.Literal("ACCEPTED_WITH_ERRORS"),
      Type.Literal("PARTIALLY_ACCEPTED"),
      Type.Literal("REJECTED"),
    ],
    { description: "WRITTEN until the partner answers by a 997, 999 or TA1" },
  ),
  answeredAt: Nullable(Timestamp),
  answer: Type.Unknown({ description: "What the partner said" }),
  createdAt: Timestamp,
});
export type EdiDocument = Static<typeof EdiDocument>;

export const EdiDocumentDetail = Type.Composite([
  EdiDocument,
  Type.Object({ x12: Type.String({ description: "The interchange as it was written" }) }),
]);
export type EdiDocumentDetail = Static<typeof EdiDocumentDetail>;
