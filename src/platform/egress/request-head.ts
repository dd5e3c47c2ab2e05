/** Methods that are sent; CONNECT and TRACE are for proxies, and an unknown method has no known meaning to a retry. */
const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Headers that say how a message is framed, where it goes or how the connection is used: the sender's own. */
const RESERVED: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}$/;
/** Printable ASCII and tabs: no line breaks, and nothing that another encoding would read differently. */
const VALUE = /^[\t\u0020-\u007e]*$/;
/** All of a request up to its body. */
export const HEAD_BYTES_MAX = 64 * 1024;
const USER_AGENT = "Integration-Hub/1.0";

/** Names already looked at: a process sends a few dozen of them over and over. */
const goodNames = new Map<string, boolean>();
const GOOD_NAMES_MAX = 10_000;

/** Whether a caller may set a header of this name. */
export function isSendableName(name: string): boolean {
  const known = goodNames.get(name);
  if (known !== undefined) return known;
  const good = NAME.test(name) && !RESERVED.has(name.toLowerCase());
  if (goodNames.size >= GOOD_NAMES_MAX) goodNames.clear();
  goodNames.set(name, good);
  return good;
}

/**
 * Writes a request's head (RFC 9112 section 3).
 *
 * @param target.path path and query in origin form, as `URL` writes them
 * @param target.bodyBytes undefined when there is no body, "chunked" when nobody knows how long it is
 * @returns ASCII text up to the empty line, or what is wrong with the request
 */
export function writeRequestHead(
  { method, headers }: { method: string; headers: Readonly<Record<string, string>> },
  { path, host, bodyBytes }: { path: string; host: string; bodyBytes: number | "chunked" | undefined },
): string | { problem: string } {
  if (!METHODS.has(method)) return { problem: "The method is not supported" };
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n`;
  let hasUserAgent = false;
  for (const name in headers) {
    const value = headers[name]!;
    if (!isSendableName(name)) return { problem: `The header "${printable(name)}" cannot be set` };
    if (!VALUE.test(value))
      return { problem: `The header "${name}" has a character other than printable ASCII` };
    if (name.length === 10 && name.toLowerCase() === "user-agent") hasUserAgent = true;
    head += `${name}: ${value}\r\n`;
  }
  if (!hasUserAgent) head += `user-agent: ${USER_AGENT}\r\n`;
  if (bodyBytes === "chunked") head += "transfer-encoding: chunked\r\n";
  else if (bodyBytes !== undefined) head += `content-length: ${bodyBytes}\r\n`;
  else if (method === "POST" || method === "PUT" || method === "PATCH") head += "content-length: 0\r\n";
  head += "\r\n";
  if (head.length > HEAD_BYTES_MAX) return { problem: `The headers have more than ${HEAD_BYTES_MAX} bytes` };
  return head;
}

function printable(name: string): string {
  return name.slice(0, 50).replaceAll(/[^\u0020-\u007e]/g, "?");
}
