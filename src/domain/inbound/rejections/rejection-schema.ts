import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { BodyEncoding } from "../receipt-schema.ts";
import { RejectionCause } from "./rejection-cause.ts";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const RejectionBodyState = Type.Union(
  [Type.Literal("complete"), Type.Literal("truncated"), Type.Literal("not_read"), Type.Literal("not_kept")],
  {
    description:
      "Only a `complete` body can be verified again. `truncated`: longer than 256 KiB; `not_read`: refused before it " +
      "was read; `not_kept`: LOG_REQUEST_BODIES=false.",
  },
);

const listed = {
  id: Type.String({ format: "uuid" }),
  endpointId: Nullable(
    Type.String({ format: "uuid", description: "null: no endpoint of the tenant has this path." }),
  ),
  code: Type.String({ description: "Code of the answer, for example `signature_invalid`." }),
  cause: Nullable(
    Type.String({ description: "Finer than the code, for example `mismatch` or `timestamp_stale`." }),
  ),
  responseStatus: Type.Integer(),
  method: Nullable(Type.String()),
  path: Nullable(Type.String({ description: "Without the query." })),
  bodySize: Nullable(Type.Integer({ description: "Bytes received, or announced." })),
  bodyState: RejectionBodyState,
  sourceIp: Nullable(Type.String()),
  correlationId: Nullable(Type.String()),
  acceptedReceiptId: Nullable(
    Type.String({ format: "uuid", description: "Receipt under which it was put through." }),
  ),
  acceptedAt: Nullable(Type.String({ format: "date-time" })),
  receivedAt: Type.String({ format: "date-time" }),
};

/** A sample of a refused request as lists show it. */
export const Rejection = Type.Object(listed);
export type Rejection = Static<typeof Rejection>;

const verdict = {
  valid: Nullable(
    Type.Boolean({
      description:
        "Whether the signature is right under the endpoint's present secrets, judged at the time of receipt; null when " +
        "it cannot be judged.",
    }),
  ),
  causes: Type.Array(RejectionCause),
};

/** A sample with its request, redacted, and the explanation. */
export const RejectionDetail = Type.Object({
  ...listed,
  query: Nullable(Type.String({ description: "Redacted." })),
  headers: Type.Record(Type.String(), Type.String(), {
    description: "Redacted; of a signature the beginning and the length are shown.",
  }),
  body: Nullable(Type.String({ description: "Redacted, and cut at LOG_BODY_MAX_BYTES." })),
  bodyEncoding: Nullable(BodyEncoding),
  ...verdict,
});
export type RejectionDetail = Static<typeof RejectionDetail>;

export const VerifyRejectionInput = Type.Object(
  {
    accept: Type.Optional(
      Type.Boolean({ description: "Put it through when it is valid; false when left out." }),
    ),
  },
  { additionalProperties: false },
);
export type VerifyRejectionInput = Static<typeof VerifyRejectionInput>;

/** Outcome of verifying a sample again. */
export const RejectionVerdict = Type.Object({
  ...verdict,
  receiptId: Nullable(Type.String({ format: "uuid" })),
  status: Nullable(
    Type.Union([Type.Literal("accepted"), Type.Literal("duplicate")], {
      description:
        "`duplicate`: the event was accepted before, under `receiptId`. null when nothing was put through.",
    }),
  ),
});
export type RejectionVerdict = Static<typeof RejectionVerdict>;

/** How often an endpoint refused for one cause, samples or not. */
export const RejectionCountItem = Type.Object({
  endpointId: Type.String({ format: "uuid" }),
  cause: Type.String(),
  total: Type.Integer(),
  lastAt: Type.String({ format: "date-time" }),
});
export type RejectionCountItem = Static<typeof RejectionCountItem>;
