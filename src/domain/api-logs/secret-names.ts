/** What stands in a log row where a secret was. */
export const REDACTED = "[redacted]";

/** Names that are secret as a whole, in any spelling (case, `-`, `_`, `.` and spaces do not count). */
const EXACT = new Set([
  "auth",
  "pass",
  "pwd",
  "pin",
  "otp",
  "key",
  "sid",
  "jwt",
  "xapikey",
  "proxyauthorization",
  "codeverifier",
  "clientassertion",
  "assertion",
  "samlresponse",
]);

/** Parts that make any name secret: `x-shop-access-token`, `clientSecret`, `user.password`. */
const PARTS = [
  "authorization",
  "cookie",
  "password",
  "passwd",
  "passphrase",
  "secret",
  "token",
  "apikey",
  "accesskey",
  "privatekey",
  "sharedkey",
  "signature",
  "hmac",
  "credential",
  "session",
];

/** Secret in a query or form, where OAuth puts them, but a common harmless name in a JSON document. */
const FORM_ONLY = new Set(["code", "state", "sig", "key", "auth", "sid"]);

/** Harmless although a part matches. */
const HARMLESS = new Set([
  "tokentype",
  "maxtokens",
  "signaturealgorithm",
  "signaturemethod",
  "signatureversion",
]);

/** JSON names that are too common to be taken for a secret by themselves. */
const JSON_HARMLESS = new Set(["key", "pin", "sid", "auth"]);

/** Form of a name in which spellings of the same word are equal. */
export function normalName(name: string): string {
  return name.toLowerCase().replace(/[-_. ]/g, "");
}

/**
 * True when a field of this name holds a secret.
 *
 * @param place where the name stands; the same word can be an OAuth code in a form and an error code in a document
 * @param extra further names in normal form, for example a provider's own header
 */
export function isSecretName(
  name: string,
  place: "header" | "query" | "document",
  extra?: ReadonlySet<string>,
): boolean {
  const normal = normalName(name);
  if (extra?.has(normal)) return true;
  if (HARMLESS.has(normal)) return false;
  if (place === "document" && JSON_HARMLESS.has(normal)) return false;
  if (place === "query" && FORM_ONLY.has(normal)) return true;
  return EXACT.has(normal) || PARTS.some((part) => normal.includes(part));
}
