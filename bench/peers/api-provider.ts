/**
 * The provider of the gateway benchmark: an API that answers 1 KB of JSON at once to who has the credential.
 *
 * Environment: PORT, CREDENTIAL.
 */
const credential = process.env["CREDENTIAL"]!;
const body = JSON.stringify({ account: { name: "bench" }, filling: "x".repeat(980) });

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env["PORT"]),
  development: false,
  fetch(request) {
    if (request.headers.get("authorization") !== credential) return new Response("who?", { status: 401 });
    return new Response(body, { headers: { "content-type": "application/json" } });
  },
});

process.on("SIGTERM", () => {
  void server.stop(true).then(() => process.exit(0));
});
console.log("ready");

// A module, so that its names are its own.
export {};
