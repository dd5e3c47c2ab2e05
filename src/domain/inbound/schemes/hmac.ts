import { hmacFaults, HmacSettings, resolveHmac } from "./hmac-settings.ts";
import type { Scheme } from "./scheme.ts";

/** For senders of one's own making: everything that can differ is a setting. */
export const hmac: Scheme = {
  name: "hmac",
  title: "HMAC",
  source: "https://www.rfc-editor.org/rfc/rfc2104",
  ownerChooses: ["signatureHeader", "signatureAlgorithm"],
  settings: HmacSettings,
  checkSettings: hmacFaults,
  rule: (settings) => {
    const chosen = resolveHmac(settings);
    const timestamp = chosen.timestampHeader;
    return {
      kind: "signature",
      headers: [{ signature: chosen.header, ...(timestamp === undefined ? {} : { timestamp }) }],
      grammar: {
        form: "whole",
        prefix: chosen.prefix,
        // Many libraries, those of .NET first, write hex in capitals.
        algorithm: { type: "hmac", hash: chosen.hash, encoding: chosen.encoding, upperHex: true },
      },
      signed: chosen.signed,
      ...(timestamp === undefined
        ? {}
        : { time: { unit: chosen.timestampUnit, toleranceSeconds: chosen.toleranceSeconds } }),
      secret: {
        keys: [{ prefix: "", form: chosen.keyForm, use: "hmac", bytesMin: 16 }],
        generate: { prefix: "", bytes: 32, encoding: chosen.keyForm === "base64" ? "base64" : "hex" },
      },
    };
  },
};
