import { Type } from "@sinclair/typebox";
import { hmacFaults, HmacSettings, parseTemplate } from "./hmac-settings.ts";
import type { Scheme } from "./scheme.ts";
import { toleranceSeconds } from "./settings.ts";

const Encoding = Type.Union([Type.Literal("hex"), Type.Literal("base64")]);

/** `signatureSettings` of the scheme `ed25519`; left out: everything in hex, the body alone is signed. */
const Ed25519Settings = Type.Object(
  {
    ...Type.Pick(HmacSettings, [
      "prefix",
      "timestampHeader",
      "timestampUnit",
      "signedTemplate",
      "toleranceSeconds",
    ]).properties,
    encoding: Type.Optional(
      Type.Union(Encoding.anyOf, { description: "How the signature is written; hex when left out." }),
    ),
    keyForm: Type.Optional(
      Type.Union(Encoding.anyOf, { description: "How the public key is written; hex when left out." }),
    ),
  },
  { additionalProperties: false },
);

/** For senders that sign with a key pair; the secret is their public key. */
export const ed25519: Scheme = {
  name: "ed25519",
  title: "Ed25519",
  source: "https://www.rfc-editor.org/rfc/rfc8032",
  ownerChooses: ["signatureHeader"],
  settings: Ed25519Settings,
  checkSettings: hmacFaults,
  rule: (settings) => {
    const chosen = (settings.signatureSettings ?? {}) as typeof Ed25519Settings.static;
    const timestamp = chosen.timestampHeader?.toLowerCase();
    const template = chosen.signedTemplate ?? (timestamp === undefined ? "{body}" : "{timestamp}{body}");
    return {
      kind: "signature",
      headers: [
        {
          signature: settings.signatureHeader?.toLowerCase() ?? "x-signature-ed25519",
          ...(timestamp === undefined ? {} : { timestamp }),
        },
      ],
      grammar: {
        form: "whole",
        prefix: chosen.prefix ?? "",
        algorithm: { type: "ed25519", encoding: chosen.encoding ?? "hex" },
      },
      signed: parseTemplate(template).parts,
      ...(timestamp === undefined
        ? {}
        : {
            time: {
              unit: chosen.timestampUnit ?? "seconds",
              toleranceSeconds: toleranceSeconds(settings),
            },
          }),
      secret: {
        keys: [{ prefix: "", form: chosen.keyForm ?? "hex", use: "ed25519", bytesMin: 32, bytesMax: 32 }],
      },
    };
  },
};
