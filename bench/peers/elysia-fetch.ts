import { Elysia } from "elysia";

/**
 * Peer of the gateway benchmark: a proxy of Elysia and `fetch` with nothing else. It forwards method, path and body with
 * a fixed credential and answers what comes; no limit, no circuit, no log. What the hub reaches of its rate is the price
 * of these.
 *
 * Environment: PORT, TARGET (base address of the provider), CREDENTIAL.
 */
const target = process.env["TARGET"]!;
const credential = process.env["CREDENTIAL"]!;
const INFIX = "/proxy";

const app = new Elysia()
  .all(
    "/api/v1/integrations/:id/proxy/*",
    async ({ request }) => {
      const path = request.url.slice(request.url.indexOf(INFIX) + INFIX.length);
      const hasBody = request.method !== "GET" && request.method !== "HEAD";
      const answer = await fetch(target + path, {
        method: request.method,
        headers: { authorization: credential, accept: "application/json" },
        ...(hasBody ? { body: await request.arrayBuffer() } : {}),
      });
      return new Response(await answer.arrayBuffer(), {
        status: answer.status,
        headers: { "content-type": answer.headers.get("content-type") ?? "application/octet-stream" },
      });
    },
    { parse: "none" },
  )
  .listen({ hostname: "127.0.0.1", port: Number(process.env["PORT"]) });

process.on("SIGTERM", () => {
  void app.stop(true).then(() => process.exit(0));
});
console.log("ready");
