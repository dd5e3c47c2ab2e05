/**
 * Peer of the deliver benchmark: the least that a sender on Bun can do. It posts bodies of the same size to the same
 * receiver, 64 at a time, and reads the answers; nothing is signed, kept or logged. `POST /run?seconds=…` runs it and
 * answers with `{ "delivered", "durationMs" }`.
 *
 * Environment: PORT, RECEIVER_URL, BODY_BYTES.
 */
const IN_FLIGHT = 64;
const receiverUrl = `${process.env["RECEIVER_URL"]}/ok/bare`;
const filler = "x".repeat(Number(process.env["BODY_BYTES"]));
let sequence = 0;

async function run(seconds: number): Promise<{ delivered: number; durationMs: number }> {
  const startedMs = performance.now();
  let delivered = 0;
  const sendUntilOver = async (): Promise<void> => {
    while (performance.now() - startedMs < seconds * 1000) {
      const response = await fetch(receiverUrl, {
        method: "POST",
        headers: { "content-type": "application/json", "webhook-id": String(sequence++) },
        body: filler,
      });
      await response.arrayBuffer();
      if (response.ok) delivered++;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, sendUntilOver));
  return { delivered, durationMs: performance.now() - startedMs };
}

const control = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env["PORT"]),
  development: false,
  idleTimeout: 0,
  fetch: async (request) =>
    Response.json(await run(Number(new URL(request.url).searchParams.get("seconds")))),
});

process.on("SIGTERM", () => {
  void control.stop(true).then(() => process.exit(0));
});
console.log("ready");
