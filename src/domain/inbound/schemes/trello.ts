import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const trello: Scheme = {
  name: "trello",
  title: "Trello",
  source: "https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/#webhook-signatures",
  rule: {
    kind: "signature",
    headers: [{ signature: "x-trello-webhook" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha1", encoding: "base64" } },
    signed: ["body", "url"],
    secret: TEXT_SECRET,
  },
  eventId: { pointer: "/action/id" },
  eventType: { pointer: "/action/type" },
  // A webhook is created only when a HEAD of its address gives 200.
  challenges: [{ method: "HEAD", recognise: [], answer: () => ({ status: 200, body: "" }) }],
};
