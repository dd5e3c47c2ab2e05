import type { Static } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";
import { EXPRESSION_MAX_BYTES } from "./protocol.ts";

/** What Postgres takes for a version. */
export const VERSION_MAX = 2_147_483_647;

/** A JSONata expression of one's own. */
export const ExpressionTemplate = Type.Object(
  {
    engine: Type.Literal("jsonata"),
    expression: Type.String({
      minLength: 1,
      maxLength: EXPRESSION_MAX_BYTES,
      description:
        "JSONata 2.2 over the decoded body. `$eval` is not available; the result must be JSON of at most 256 KiB.",
      examples: ['{ "loadId": shipment.id, "status": shipment.state }'],
    }),
  },
  { additionalProperties: false },
);
export type ExpressionTemplate = Static<typeof ExpressionTemplate>;

/** A stored transformation in one of its versions. */
export const StoredTemplate = Type.Object(
  {
    template: Type.String({ minLength: 1, maxLength: 200, description: "Id or code of the transformation" }),
    version: Type.Optional(
      Type.Union([Type.Integer({ minimum: 1, maximum: VERSION_MAX }), Type.Literal("latest")], {
        description:
          "A version, which never changes, or `latest` (when left out): the newest, as it is made.",
      }),
    ),
  },
  { additionalProperties: false },
);
export type StoredTemplate = Static<typeof StoredTemplate>;

/** `transformTemplate` of an endpoint or a subscription: how a body is mapped before it is validated and sent on. */
export const TransformTemplate = Type.Union([ExpressionTemplate, StoredTemplate], {
  description: "How the body is mapped before it is validated and routed",
});
export type TransformTemplate = Static<typeof TransformTemplate>;
