import { Type } from "@sinclair/typebox";
import type { Scheme, SchemeSettings } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

/** Header and prefix of each product; `returns-legacy` are organisations from before 25 October 2022. */
const PRODUCTS = {
  tracking: { header: "aftership-hmac-sha256", prefix: "" },
  returns: { header: "as-signature-hmac-sha256", prefix: "" },
  warranty: { header: "as-signature-hmac-sha256", prefix: "" },
  shipping: { header: "am-webhook-signature", prefix: "hmac-sha256=" },
  "returns-legacy": { header: "am-webhook-signature", prefix: "hmac-sha256=" },
} as const;

type Product = keyof typeof PRODUCTS;

const AfterShipSettings = Type.Object(
  {
    product: Type.Optional(
      Type.Union(
        Object.keys(PRODUCTS).map((product) => Type.Literal(product as Product)),
        { default: "tracking", description: "The AfterShip product that sends." },
      ),
    ),
  },
  { additionalProperties: false },
);

function productOf({ signatureSettings }: SchemeSettings): Product {
  return (signatureSettings as typeof AfterShipSettings.static | null | undefined)?.product ?? "tracking";
}

export const aftership: Scheme = {
  name: "aftership",
  title: "AfterShip",
  source: "https://www.aftership.com/docs/tracking/webhook/webhook-signature",
  settings: AfterShipSettings,
  rule: (settings) => {
    const { header, prefix } = PRODUCTS[productOf(settings)];
    return {
      kind: "signature",
      headers: [{ signature: header }],
      grammar: { form: "whole", prefix, algorithm: { type: "hmac", hash: "sha256", encoding: "base64" } },
      signed: ["body"],
      secret: TEXT_SECRET,
    };
  },
  // Tracking has event_id; Returns and Warranty have id.
  eventId: { pointer: "/event_id", orPointer: "/id" },
  eventType: { pointer: "/event", orPointer: "/event_type" },
};
