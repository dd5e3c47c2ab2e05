/**
 * The provider of the gateway benchmark: an API that answers 1 KB of JSON at once to who has the credential.
 *
 * Environment: PORT, CREDENTIAL.
 */
const wanted = process.env["CREDENTIAL"]!;
const accountBody = JSON.stringify({ account: { name: "bench" }, filling: "x".repeat(980) });

const api = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env["PORT"]),
  development: false,
  fetch(request) {
    if (request.headers.get("authorization") !== wanted) return new Response("who?", { status: 401 });
    return new Response(accountBody, { headers: { "content-type": "application/json" } });
  },
});

process.on("SIGTERM", () => {
  void api.stop(true).then(() => process.exit(0));
});
console.log("ready");
