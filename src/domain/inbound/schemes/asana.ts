import type { Scheme } from "./scheme.ts";

const PENDING = "handshake_";

export const asana: Scheme = {
  name: "asana",
  title: "Asana",
  source: "https://developers.asana.com/docs/webhooks-guide",
  rule: {
    kind: "signature",
    headers: [{ signature: "x-hook-signature" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha256", encoding: "hex" } },
    signed: ["body"],
    secret: {
      keys: [{ prefix: "", form: "utf8", use: "hmac", bytesMin: 16 }],
      // Stands for the secret until Asana hands it over.
      generate: { prefix: PENDING, bytes: 32, encoding: "hex" },
    },
  },
  handshake: { header: "x-hook-secret", pendingPrefix: PENDING },
  needsGeneratedPath: true,
  // Events have no id; each has its time in milliseconds, so only a repetition is equal to them.
  eventId: { body: "sha256" },
  eventType: { each: "/events", pointers: ["/resource/resource_type", "/action"], joinedBy: "." },
  // A heartbeat every eight hours, without events.
  challenges: [
    {
      method: "POST",
      recognise: [{ pointer: "/events", json: "[]" }],
      answer: () => ({ status: 200, body: "" }),
    },
  ],
};
