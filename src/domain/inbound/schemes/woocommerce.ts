import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const woocommerce: Scheme = {
  name: "woocommerce",
  title: "WooCommerce",
  source: "https://developer.woocommerce.com/docs/apis/rest-api/v3/webhooks/",
  rule: {
    kind: "signature",
    headers: [{ signature: "x-wc-webhook-signature" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha256", encoding: "base64" } },
    signed: ["body"],
    secret: TEXT_SECRET,
  },
  eventId: { header: "x-wc-webhook-delivery-id" },
  eventType: { header: "x-wc-webhook-topic" },
  // A shop that is not answered 200 does not save the webhook: WC_Webhook::deliver_ping() in
  // https://github.com/woocommerce/woocommerce/blob/trunk/plugins/woocommerce/includes/class-wc-webhook.php
  challenges: [
    {
      method: "POST",
      unsigned: true,
      recognise: [{ body: /^webhook_id=\d{1,20}$/ }],
      answer: () => ({ status: 200, body: "" }),
    },
  ],
};
