import { Type } from "@sinclair/typebox";
import type { DigestEncoding, HmacHash } from "../../../platform/crypto/hmac.ts";
import type { SchemeSettings, SettingFault, SignedPart } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";

/** Header in which a sender of its own making puts the signature, unless the endpoint names another. */
export const SIGNATURE_HEADER_DEFAULT = "x-signature";
export const ALGORITHM_DEFAULT = "HMAC-SHA256";

/**
 * `signatureSettings` of the scheme `hmac`. What is left out keeps its default: hex of the body's HMAC, no prefix, the
 * secret's UTF-8 bytes as key, no time.
 */
export const HmacSettings = Type.Object(
  {
    encoding: Type.Optional(
      Type.Union([Type.Literal("hex"), Type.Literal("base64"), Type.Literal("base64url")], {
        description: "How the signature is written, unless signatureAlgorithm says it; hex when left out.",
      }),
    ),
    prefix: Type.Optional(
      Type.String({
        pattern: "^[!-+\\--~]{1,49} ?$",
        description:
          "What stands before the signature in its header, for example `sha256=`, or `HMAC ` with the space.",
      }),
    ),
    keyForm: Type.Optional(
      Type.Union([Type.Literal("utf8"), Type.Literal("hex"), Type.Literal("base64")], {
        description: "Whether the secret's text is the key, or what it decodes to; utf8 when left out.",
      }),
    ),
    timestampHeader: Type.Optional(
      Type.String({
        pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$",
        description: "Header with the Unix time of signing, which is then part of what is signed.",
      }),
    ),
    timestampUnit: Type.Optional(
      Type.Union([Type.Literal("seconds"), Type.Literal("milliseconds")], {
        description: "seconds when left out",
      }),
    ),
    signedTemplate: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 500,
        description:
          "What is signed: {body} once, {timestamp}, {method}, {url}, {header:name} and text between them. Left out: " +
          "{body}, or {timestamp}.{body} with a timestampHeader.",
      }),
    ),
    toleranceSeconds: TimedSettings.properties.toleranceSeconds,
  },
  { additionalProperties: false },
);

/** The settings of one endpoint with every default filled in. */
export interface ResolvedHmac {
  header: string;
  hash: HmacHash;
  encoding: DigestEncoding;
  prefix: string;
  keyForm: "utf8" | "hex" | "base64";
  timestampHeader: string | undefined;
  timestampUnit: "seconds" | "milliseconds";
  toleranceSeconds: number;
  signed: SignedPart[];
}

const ALGORITHM = /^(?:hmac[-_]?)?sha[-_]?(1|256|512)(?:[-_/](hex|base64|base64url))?$/i;

/**
 * Reads a `signatureAlgorithm`: `HMAC-SHA256`, also `SHA1`, `sha-512`, `hmac_sha256`, with the encoding behind it where
 * it is not hex: `HMAC-SHA256-BASE64`.
 */
export function parseAlgorithm(
  text: string,
): { hash: HmacHash; encoding: DigestEncoding | undefined } | undefined {
  const match = ALGORITHM.exec(text);
  if (match === null) return undefined;
  const encoding = match[2]?.toLowerCase() as DigestEncoding | undefined;
  return { hash: `sha${match[1]!}` as HmacHash, encoding };
}

/** Fills in the defaults. Takes settings that `hmacFaults` found nothing wrong with. */
export function resolveHmac(settings: SchemeSettings): ResolvedHmac {
  const more = (settings.signatureSettings ?? {}) as typeof HmacSettings.static;
  const algorithm = parseAlgorithm(settings.signatureAlgorithm ?? ALGORITHM_DEFAULT)!;
  const timestampHeader = more.timestampHeader?.toLowerCase();
  return {
    header: settings.signatureHeader?.toLowerCase() ?? SIGNATURE_HEADER_DEFAULT,
    hash: algorithm.hash,
    encoding: algorithm.encoding ?? more.encoding ?? "hex",
    prefix: more.prefix ?? "",
    keyForm: more.keyForm ?? "utf8",
    timestampHeader,
    timestampUnit: more.timestampUnit ?? "seconds",
    toleranceSeconds: toleranceSeconds(settings),
    signed: parseTemplate(
      more.signedTemplate ?? (timestampHeader === undefined ? "{body}" : "{timestamp}.{body}"),
    ).parts,
  };
}

const PLACEHOLDER = /\{(body|timestamp|method|url)\}|\{header:([A-Za-z0-9!#$%&'*+.^_`|~-]+)\}/g;

/** Takes a template apart; `rest` holds what is left of the text between the placeholders. */
export function parseTemplate(template: string): { parts: SignedPart[]; rest: string } {
  const parts: SignedPart[] = [];
  let rest = "";
  let from = 0;
  const addText = (text: string) => {
    if (text === "") return;
    parts.push({ text });
    rest += text;
  };
  for (const match of template.matchAll(PLACEHOLDER)) {
    addText(template.slice(from, match.index));
    parts.push(match[1] === undefined ? { header: match[2]!.toLowerCase() } : (match[1] as SignedPart));
    from = match.index + match[0].length;
  }
  addText(template.slice(from));
  return { parts, rest };
}

/** What the schema cannot say: the settings must agree with each other, and a time that is not signed proves nothing. */
export function hmacFaults(settings: SchemeSettings): SettingFault[] {
  const faults: SettingFault[] = [];
  const more = (settings.signatureSettings ?? {}) as typeof HmacSettings.static;
  const fault = (path: string, message: string) => faults.push({ path, message });
  const algorithm = parseAlgorithm(settings.signatureAlgorithm ?? ALGORITHM_DEFAULT);
  if (algorithm === undefined) {
    fault(
      "/signatureAlgorithm",
      "must be HMAC-SHA1, HMAC-SHA256 or HMAC-SHA512, with -HEX, -BASE64 or -BASE64URL behind it if need be",
    );
  } else if (
    algorithm.encoding !== undefined &&
    more.encoding !== undefined &&
    algorithm.encoding !== more.encoding
  ) {
    fault("/signatureSettings/encoding", "contradicts signatureAlgorithm");
  }
  if (more.timestampHeader === undefined) {
    if (more.timestampUnit !== undefined)
      fault("/signatureSettings/timestampUnit", "needs a timestampHeader");
    if (more.toleranceSeconds !== undefined)
      fault("/signatureSettings/toleranceSeconds", "needs a timestampHeader");
  }
  if (more.signedTemplate === undefined) return faults;
  const { parts, rest } = parseTemplate(more.signedTemplate);
  const template = "/signatureSettings/signedTemplate";
  if (/[{}]/.test(rest))
    fault(template, "knows {body}, {timestamp}, {method}, {url} and {header:name}, and no other braces");
  if (parts.filter((part) => part === "body").length !== 1) fault(template, "must hold {body} once");
  if (more.timestampHeader === undefined && parts.includes("timestamp"))
    fault(template, "holds {timestamp} without a timestampHeader");
  if (more.timestampHeader !== undefined && !parts.includes("timestamp"))
    fault(template, "must hold {timestamp}: a time that is not signed can be changed");
  return faults;
}
