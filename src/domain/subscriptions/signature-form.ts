import { Type, type Static } from "@sinclair/typebox";

const HEADER_NAME = "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$";

/** How an HMAC of the body is written into one header; what is left out has a default. */
export const HmacForm = Type.Object(
  {
    header: Type.Optional(
      Type.String({
        pattern: HEADER_NAME,
        description: "Header with the signature; `X-Signature` when left out.",
      }),
    ),
    algorithm: Type.Optional(
      Type.Union([Type.Literal("SHA256"), Type.Literal("SHA512"), Type.Literal("SHA1")], {
        description: "Hash of the HMAC; SHA256 when left out.",
      }),
    ),
    encoding: Type.Optional(
      Type.Union([Type.Literal("hex"), Type.Literal("base64"), Type.Literal("base64url")], {
        description: "How the digest is written; hex when left out.",
      }),
    ),
    prefix: Type.Optional(
      Type.String({
        pattern: "^[!-+\\--~]{0,49} ?$",
        description: "What stands before the digest, for example `sha256=`.",
      }),
    ),
    layout: Type.Optional(
      Type.Union([Type.Literal("WHOLE"), Type.Literal("PAIRS")], {
        description:
          "WHOLE: the header is prefix and digest. PAIRS: `t=<seconds>,v1=<digest>`, one v1 for each active secret, " +
          "over `<t>.<body>`. WHOLE when left out.",
      }),
    ),
    timestampHeader: Type.Optional(
      Type.String({
        pattern: HEADER_NAME,
        description:
          "Header with the Unix time in seconds; `<time>.<body>` is signed then, else the body alone.",
      }),
    ),
  },
  { additionalProperties: false },
);
export type HmacForm = Static<typeof HmacForm>;

/** How a subscription's deliveries are signed: Standard Webhooks, or a plain HMAC header that a receiver asks for. */
export const SignatureForm = Type.Union([
  Type.Object({ scheme: Type.Literal("STANDARD_WEBHOOKS") }, { additionalProperties: false }),
  Type.Object({ scheme: Type.Literal("HMAC"), ...HmacForm.properties }, { additionalProperties: false }),
]);
export type SignatureForm = Static<typeof SignatureForm>;

export const SIGNATURE_FORM_DEFAULT: SignatureForm = { scheme: "STANDARD_WEBHOOKS" };
