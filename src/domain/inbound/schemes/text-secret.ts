import type { SecretRule } from "./scheme.ts";

/** A secret whose text is the HMAC key, as most providers show it in their dashboards. */
export const TEXT_SECRET: SecretRule = {
  keys: [{ prefix: "", form: "utf8", use: "hmac", bytesMin: 16 }],
  generate: { prefix: "", bytes: 32, encoding: "hex" },
};
