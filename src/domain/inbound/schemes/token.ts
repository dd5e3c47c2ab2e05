import { Type } from "@sinclair/typebox";
import type { Scheme, SchemeSettings, SettingFault, TokenPlace } from "./scheme.ts";
import { JSON_POINTER } from "./json-ranges.ts";
import { XML_PATH } from "./xml-ranges.ts";

const TOKEN_HEADER_DEFAULT = "x-webhook-token";

/** Where the token stands: a header (`signatureHeader`), or one of these. */
const TokenSettings = Type.Object(
  {
    prefix: Type.Optional(
      Type.String({
        pattern: "^[!-+\\--~]{1,49} ?$",
        description: "Word before the token in its header, for example `Bearer ` with the space.",
      }),
    ),
    query: Type.Optional(
      Type.String({ pattern: "^[!-~]{1,100}$", description: "Name of a query parameter." }),
    ),
    pointer: Type.Optional(
      Type.String({
        pattern: JSON_POINTER,
        maxLength: 500,
        description: "JSON pointer (RFC 6901) into the body.",
      }),
    ),
    xmlPath: Type.Optional(
      Type.String({
        pattern: XML_PATH.source,
        maxLength: 500,
        description:
          "Path in an XML body, for example `/Envelope/Body/notifications/OrganizationId`; names without prefixes.",
      }),
    ),
  },
  { additionalProperties: false },
);

function placeOf(settings: SchemeSettings): TokenPlace {
  const { prefix, query, pointer, xmlPath } = (settings.signatureSettings ??
    {}) as typeof TokenSettings.static;
  if (query !== undefined) return { query };
  if (pointer !== undefined) return { pointer };
  if (xmlPath !== undefined) return { xmlPath };
  return { header: settings.signatureHeader?.toLowerCase() ?? TOKEN_HEADER_DEFAULT, prefix: prefix ?? "" };
}

function placeFaults(settings: SchemeSettings): SettingFault[] {
  const more = settings.signatureSettings ?? {};
  const places = ["query", "pointer", "xmlPath"].filter((name) => more[name] !== undefined);
  const [first, second] = places;
  if (second !== undefined)
    return [
      { path: `/signatureSettings/${second}`, message: `stands beside ${first}; a token has one place` },
    ];
  if (first === undefined) return [];
  const faults: SettingFault[] = [];
  if (typeof settings.signatureHeader === "string") {
    faults.push({ path: "/signatureHeader", message: `stands beside ${first}; a token has one place` });
  }
  if (more["prefix"] !== undefined) {
    faults.push({ path: "/signatureSettings/prefix", message: "stands only before a token in a header" });
  }
  return faults;
}

export const token: Scheme = {
  name: "token",
  title: "Shared token",
  source: "https://www.rfc-editor.org/rfc/rfc6750",
  ownerChooses: ["signatureHeader"],
  settings: TokenSettings,
  checkSettings: placeFaults,
  rule: (settings) => ({
    kind: "token",
    place: placeOf(settings),
    secret: {
      keys: [
        {
          prefix: "",
          form: "utf8",
          use: "compare",
          bytesMin: 16,
          pattern: { regex: /^[!-~]*$/, message: "must be visible ASCII without spaces" },
        },
      ],
      generate: { prefix: "", bytes: 32, encoding: "base64url" },
    },
  }),
};
