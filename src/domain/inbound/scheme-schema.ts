import { type Static, type TSchema, Type } from "@sinclair/typebox";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const text = (description: string) => Type.Optional(Type.String({ description }));

/** Where a value stands in a request; fields of the place that is meant, and no others. */
const SchemePlace = Type.Object(
  {
    header: text("Name of a header."),
    orHeader: text("Header that is read when the first is missing."),
    pointer: text("JSON pointer (RFC 6901) into the body."),
    orPointer: text("Pointer that is read when nothing stands under the first."),
    orForm: text("Form field that is read when nothing stands under the pointer."),
    pointers: Type.Optional(
      Type.Array(Type.String(), { description: "Pointers whose values are joined by `joinedBy`." }),
    ),
    joinedBy: text("What stands between the joined values."),
    each: text("Pointer to a list: the values of each of its elements, with commas between."),
    orBody: text("`sha256`: the hash of the body where nothing stands under the pointers."),
    form: text("Field of a form."),
    query: text("Query parameter."),
    xmlPath: text("Path in an XML body."),
    body: text("`sha256`: the hash of the body."),
    unique: text("`request`: each request is an event of its own."),
    prefix: text("Word before the value in its header."),
  },
  { additionalProperties: false },
);

const SchemeSecret = Type.Object({
  forms: Type.Array(
    Type.Object({
      prefix: Type.String({ description: "How a secret of this form begins." }),
      encoding: Type.String({ description: "utf8: the text is the key; hex, base64: what it decodes to." }),
      use: Type.String({ description: "hmac, compare, or the kind of public key." }),
      bytesMin: Type.Integer(),
      bytesMax: Nullable(Type.Integer()),
      rule: Nullable(Type.String({ description: "What the text must be besides." })),
    }),
  ),
  generated: Type.Boolean({ description: "The hub makes one when none is given." }),
});

/** What is to be known of a signature scheme to choose it and to set up its sender. */
export const SchemeDescription = Type.Object({
  name: Type.String({ description: "Value of `signatureScheme`." }),
  title: Type.String(),
  documentationUrl: Nullable(Type.String({ description: "The provider's page, or the standard." })),
  proof: Type.String({
    description:
      "signature, composed (a signature over what the provider composes in its own way), certificate, jwt, token, basic or none; like the next fields under default settings.",
  }),
  headers: Type.Array(Type.String(), {
    description: "Headers that carry the proof; none where it stands elsewhere in the request.",
  }),
  tokenPlace: Nullable(SchemePlace),
  algorithm: Nullable(Type.String()),
  toleranceSeconds: Nullable(
    Type.Integer({ description: "How far a signed time may lie in the past and in the future." }),
  ),
  ownerChooses: Type.Array(Type.String(), {
    description: "Fields of the endpoint with which its owner says what the sender does.",
  }),
  settings: Nullable(
    Type.Record(Type.String(), Type.Unknown(), { description: "JSON Schema of `signatureSettings`." }),
  ),
  secret: Nullable(SchemeSecret),
  eventId: Nullable(SchemePlace),
  eventType: Nullable(SchemePlace),
  challenges: Type.Array(
    Type.Object({
      method: Type.String(),
      signed: Type.Boolean({ description: "Answered only when the proof is right." }),
      answers: Nullable(SchemePlace),
    }),
    { description: "Requests by which the provider asks whether somebody listens; `answers` is given back." },
  ),
  handshakeHeader: Nullable(
    Type.String({ description: "The first request brings the secret in this header." }),
  ),
  acceptedAnswer: Nullable(
    Type.Object({ status: Type.Integer(), contentType: Nullable(Type.String()), body: Type.String() }),
  ),
});
export type SchemeDescription = Static<typeof SchemeDescription>;
