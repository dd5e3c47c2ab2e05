/**
 * The cookie that binds a log-in to a browser. Each log-in has its own, so that several can be under way. With https it
 * has the prefix `__Host-`, which no other host of the domain can set (RFC 6265bis section 4.1.3.2). Lax: the provider's
 * redirect is a navigation from another site and has to carry it.
 */
function nameOf(sessionId: string, isHttps: boolean): string {
  return `${isHttps ? "__Host-" : ""}hub-oauth-${sessionId}`;
}

/**
 * The value of Set-Cookie.
 *
 * @param cookie.value null: the cookie is taken away
 */
export function loginCookie(
  sessionId: string,
  cookie: { value: string | null; maxAgeSeconds: number },
  isHttps: boolean,
): string {
  const { value, maxAgeSeconds } = cookie;
  const attributes = ["Path=/", `Max-Age=${value === null ? 0 : maxAgeSeconds}`, "HttpOnly", "SameSite=Lax"];
  if (isHttps) attributes.push("Secure");
  return [`${nameOf(sessionId, isHttps)}=${value ?? ""}`, ...attributes].join("; ");
}

/** The value that this browser has for a log-in; undefined when it has none, or two. */
export function readLoginCookie(
  header: string | null,
  sessionId: string,
  isHttps: boolean,
): string | undefined {
  const start = `${nameOf(sessionId, isHttps)}=`;
  const found = (header ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(start));
  return found.length === 1 ? found[0]!.slice(start.length) : undefined;
}
