import { Elysia } from "elysia";

/**
 * Answers OPTIONS with the methods of the path (RFC 9110, section 9.3.7). No CORS headers: the console lives on the
 * hub's own origin, and nobody else's pages have any business here.
 */
export function optionsPlugin(allowedMethods: (path: string) => readonly string[]) {
  return new Elysia({ name: "options" }).onRequest(function answerOptions({ request, set }) {
    if (request.method !== "OPTIONS") return;
    const allowed = allowedMethods(new URL(request.url).pathname);
    // An unknown path goes on to the router and becomes a 404 like any other.
    if (allowed.length === 0) return;
    set.headers["allow"] = allowed.join(", ");
    set.status = 204;
    return "";
  });
}
