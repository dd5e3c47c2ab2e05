/**
 * Peer of the accept benchmark: the least that a server on Bun can do with a webhook. It reads the body and answers;
 * nothing is checked, nothing is kept. What the hub reaches of its rate is the price of verifying, deduplicating and
 * storing.
 *
 * Environment: PORT.
 */
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env["PORT"]),
  // Off: the error page and the source maps of the development mode are no part of a deployment.
  development: false,
  async fetch(request) {
    // A server that does not read the body lets the kernel do half of the work that the hub must do.
    await request.arrayBuffer();
    return new Response('{"status":"accepted"}', { headers: { "content-type": "application/json" } });
  },
});

process.on("SIGTERM", () => {
  void server.stop(true).then(() => process.exit(0));
});
console.log("ready");
