import { type Static, Type } from "@sinclair/typebox";

/** One reason for which a request was refused, and what to do about it. */
export const RejectionCause = Type.Object({
  code: Type.String({ description: "For programs, for example `secret_whitespace` or `clock_off`." }),
  message: Type.String({ description: "What was found." }),
  action: Type.String({ description: "What to do about it." }),
  seconds: Type.Optional(
    Type.Integer({ description: "`clock_off`: positive when the signed time lies in the past." }),
  ),
  header: Type.Optional(Type.String({ description: "The header in question." })),
  endpointId: Type.Optional(Type.String({ format: "uuid", description: "The endpoint in question." })),
});
export type RejectionCause = Static<typeof RejectionCause>;
