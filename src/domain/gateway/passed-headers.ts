import type { AnswerHeaders } from "../../platform/egress/answer-headers.ts";

/** Headers of one connection only (RFC 9110 section 7.6.1), and those by which messages are smuggled. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "content-length",
]);

/**
 * Of the caller and its way to the hub, and nobody else's business: credentials, cookies, addresses of the inner
 * network, what the hub sets itself, and headers by which servers let themselves be told another path or method.
 */
const CALLERS_OWN: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "cookie2",
  "expect",
  "forwarded",
  "host",
  "idempotency-key",
  "prefer",
  "via",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-url",
  "x-rewrite-url",
  "x-real-ip",
  "x-request-id",
  "true-client-ip",
  "cf-connecting-ip",
]);

const isDropped = (name: string, connection: ReadonlySet<string>): boolean =>
  HOP_BY_HOP.has(name) ||
  connection.has(name) ||
  name.startsWith("hub-") ||
  name.startsWith("x-forwarded-") ||
  name.startsWith("proxy-");

/** Names that `Connection` declares to be of this connection only. */
function namedBy(connection: string | null): ReadonlySet<string> {
  if (connection === null) return new Set();
  return new Set(connection.split(",").map((name) => name.trim().toLowerCase()));
}

/**
 * The headers of a caller that go on to the provider, names in lower case. Those of the credential and of the manifest
 * are set over them afterwards.
 */
export function passedRequestHeaders(headers: Headers): Record<string, string> {
  const connection = namedBy(headers.get("connection"));
  const passed: Record<string, string> = {};
  for (const [name, value] of headers) {
    if (!isDropped(name, connection) && !CALLERS_OWN.has(name)) passed[name] = value;
  }
  return passed;
}

/** Headers that may repeat a credential which stood in the address. */
const ADDRESSES: ReadonlySet<string> = new Set(["location", "content-location", "link", "refresh"]);

/**
 * The headers of a provider's answer that go on to the caller, as they came. One that repeats the credential loses it.
 *
 * @param hide takes the credential out of a text
 * @param keepLength the answer has no body, so its length tells of something else (HEAD)
 */
export function passedAnswerHeaders(
  headers: AnswerHeaders,
  hide: (text: string) => string,
  keepLength: boolean,
): [string, string][] {
  const connection = namedBy(headers.get("connection"));
  const passed: [string, string][] = [];
  for (const [name, value] of headers) {
    if (name === "content-length" && keepLength) passed.push([name, value]);
    if (isDropped(name, connection)) continue;
    passed.push([name, ADDRESSES.has(name) ? hide(value) : value]);
  }
  return passed;
}
