/**
 * Peer of the accept benchmark: what a careful team would write on Node for the same duty. Fastify verifies the
 * signature over the raw body, BullMQ deduplicates by job id and stores the job in the same Redis (AOF always).
 * Plain JavaScript, because Node 20 runs no TypeScript.
 *
 * Environment: PORT, REDIS_URL, ENDPOINTS_FILE (JSON: { "<tenant>/<path>": "<secret>" }).
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { Queue } from "bullmq";
import Fastify from "fastify";
import { Redis } from "ioredis";

const secrets = new Map(Object.entries(JSON.parse(readFileSync(process.env.ENDPOINTS_FILE, "utf8"))));

const connection = new Redis(process.env.REDIS_URL, {
  // BullMQ's advice for HTTP handlers: fail at once when Redis is away instead of queueing in memory.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  // Commands of one turn of the event loop travel together, as they do in the hub.
  enableAutoPipelining: true,
});
await new Promise((resolve) => connection.once("ready", resolve));

const queue = new Queue("inbound", {
  connection,
  // No events are read here: the shortest list of them costs least.
  streams: { events: { maxLen: 1 } },
  // Jobs are to be kept until a worker took them, without further bookkeeping.
  defaultJobOptions: { attempts: 1, removeOnComplete: true },
});

// No request log: the hub writes none for accepted requests either.
const app = Fastify({ logger: false, bodyLimit: 1024 * 1024 });

// The raw bytes are what was signed, so the body is not parsed.
app.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body, done) => {
  done(null, body);
});

app.post("/webhooks/:tenant/:path", async (request, reply) => {
  const { tenant, path } = request.params;
  const secret = secrets.get(`${tenant}/${path}`);
  if (secret === undefined) return reply.code(404).send({ code: "not_found" });
  const given = Buffer.from(String(request.headers["x-hub-signature-256"] ?? "").slice(7), "hex");
  const expected = createHmac("sha256", secret).update(request.body).digest();
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    return reply.code(401).send({ code: "signature_invalid" });
  const deliveryId = request.headers["x-github-delivery"];
  const job = await queue.add(
    "webhook",
    { body: request.body.toString("utf8"), headers: request.headers, receivedAt: Date.now() },
    // The same delivery makes no second job. A colon is BullMQ's own separator, hence the dots.
    { jobId: `${tenant}.${path}.${deliveryId}` },
  );
  return { id: job.id, status: "accepted" };
});

await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
process.on("SIGTERM", () => app.close().then(() => process.exit(0)));
console.log("ready");
