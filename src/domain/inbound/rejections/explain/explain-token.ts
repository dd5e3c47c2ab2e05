import { compilePlace } from "../../schemes/read-place.ts";
import type { BasicRule, Place, TokenRule } from "../../schemes/scheme.ts";
import type { RejectionCause } from "../rejection-cause.ts";
import type { ExplainInput } from "./explain-input.ts";
import { EXPIRED, otherEndpoint, secretPrefixes, secretTexts } from "./secret-variants.ts";

/**
 * Says why a request that carries its secret was not accepted, by comparing what it carries with what was meant.
 * Nothing of either is repeated.
 *
 * @returns at least one cause
 */
export function explainToken(rule: TokenRule | BasicRule, input: ExplainInput): RejectionCause[] {
  const place: Place = rule.kind === "basic" ? { header: "authorization" } : rule.place;
  const prefix = rule.kind === "basic" ? "Basic " : "header" in rule.place ? rule.place.prefix : "";
  const found = compilePlace(place)(input.request);
  if ("cause" in found) {
    if (found.cause === "header_missing") return [missing(rule, place, input)];
    return found.cause === "header_doubled" ? [doubled(place)] : [misplaced(place)];
  }
  const { value } = found;
  const hasPrefix = value.slice(0, prefix.length).toLowerCase() === prefix.toLowerCase();
  const causes = hasPrefix ? [] : [prefixMissing(prefix)];
  const token = hasPrefix
    ? value.slice(prefix.length)
    : value.replace(/^(?:Bearer|Token|Basic|ApiKey)\s+/i, "");
  const given = rule.kind === "basic" ? Buffer.from(token, "base64").toString() : token;
  return [...causes, ...tokenCauses(rule, given, input)];
}

function tokenCauses(rule: TokenRule | BasicRule, given: string, input: ExplainInput): RejectionCause[] {
  const { active, expired, others } = input.secrets;
  const prefixes = secretPrefixes(rule.secret);
  const meant = secretTexts(given, []).map(({ value }) => value);
  for (const secret of active) {
    for (const { value, causes } of secretTexts(secret, prefixes)) if (value === given) return [...causes];
    if (meant.includes(secret)) return [DECORATED];
    if (encodings(secret).includes(given) || encodings(given).includes(secret)) return [ENCODED];
    if (secret.toLowerCase() === given.toLowerCase()) return [CASE];
    if (rule.kind === "basic" && userOf(secret) === userOf(given)) return [PASSWORD];
  }
  if (expired.includes(given)) return [EXPIRED];
  const other = others.find(({ secret }) => secret === given || secret.trim() === given);
  if (other !== undefined) return [otherEndpoint(other)];
  return [UNEXPLAINED];
}

function encodings(text: string): string[] {
  const bytes = Buffer.from(text);
  return [
    bytes.toString("base64"),
    bytes.toString("base64url"),
    bytes.toString("hex"),
    encodeURIComponent(text),
  ];
}

function userOf(credentials: string): string {
  return credentials.split(":", 1)[0]!;
}

function missing(
  rule: TokenRule | BasicRule,
  place: Place,
  { secrets, request }: ExplainInput,
): RejectionCause {
  const expected = nameOf(place);
  const holds = (value: string): boolean => secrets.active.some((secret) => value.includes(secret.trim()));
  const header =
    rule.kind === "basic" ? undefined : [...request.headers].find(([, value]) => holds(value))?.[0];
  if (header !== undefined) {
    return {
      code: "header_renamed",
      message: `The secret stands in the header ${header}, and is expected in ${expected}.`,
      action: `Set \`signatureHeader\` to ${header}, or have the sender use the place that is expected.`,
      header,
    };
  }
  return {
    code: "header_missing",
    message: `The secret is missing; it belongs into ${expected}.`,
    action: "Check that the sender sends it there and that no proxy removes it.",
    ...("header" in place ? { header: place.header } : {}),
  };
}

function doubled(place: Place): RejectionCause {
  return {
    code: "header_doubled",
    message: `There is more than one value in ${nameOf(place)}.`,
    action: "Find the proxy that adds it once more, and let it replace the header or leave it alone.",
    ...("header" in place ? { header: place.header } : {}),
  };
}

function misplaced(place: Place): RejectionCause {
  return {
    code: "signature_format",
    message: `There is no single text in ${nameOf(place)}.`,
    action: "Compare the body with what the provider documents; `signatureSettings` names the place.",
  };
}

function prefixMissing(prefix: string): RejectionCause {
  return {
    code: "signature_format",
    message: `The value does not begin with "${prefix}".`,
    action: "Have the sender write it so, or change `signatureSettings.prefix` (scheme `token`).",
  };
}

function nameOf(place: Place): string {
  if ("header" in place) return `the header ${place.header}`;
  if ("query" in place) return `the query parameter ${place.query}`;
  return `the body at ${"pointer" in place ? place.pointer : place.xmlPath}`;
}

const DECORATED: RejectionCause = {
  code: "secret_whitespace",
  message: "The sender's secret has white space, quotation marks or a variable's name around it.",
  action: "Set it anew at the sender, without them.",
};
const ENCODED: RejectionCause = {
  code: "secret_encoding",
  message:
    "The sender sends the secret in another encoding (base64, hex or URL-encoded) than it is stored in.",
  action: "Store it as the sender sends it, or have the sender send it plainly.",
};
const CASE: RejectionCause = {
  code: "secret_case",
  message: "The secret is right except for capital and small letters.",
  action: "Set it anew on the side where it was changed.",
};
const PASSWORD: RejectionCause = {
  code: "password_wrong",
  message: "The user's name is right, the password is not.",
  action: "Set the password anew on both sides.",
};
const UNEXPLAINED: RejectionCause = {
  code: "unexplained",
  message: "The secret that came is another one than the stored one.",
  action:
    "Compare the last four characters with the sender's (`secretLast4`), and set it anew on both sides.",
};
