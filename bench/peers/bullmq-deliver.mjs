/**
 * Peer of the deliver benchmark: what a careful team would write on Node for the same duty. Events become jobs of
 * BullMQ in the same Redis (AOF always), a worker with 64 at a time signs each (Standard Webhooks), posts it with
 * `fetch` and writes one row an attempt. Plain JavaScript, because Node 20 runs no TypeScript.
 * `POST /run?seconds=…` publishes for so long, waits for the rest and answers `{ "delivered", "durationMs", "rows" }`.
 *
 * Environment: PORT, REDIS_URL, DATABASE_URL, RECEIVER_URL, BODY_BYTES.
 */
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import postgres from "postgres";

const IN_FLIGHT = 64;
const BATCH = 200;
/** Jobs that wait at most: enough that the worker never runs dry. */
const WAITING_MAX = 4_000;

const secret = randomBytes(32);
const filler = "x".repeat(Number(process.env.BODY_BYTES));
const receiverUrl = `${process.env.RECEIVER_URL}/ok/bullmq`;
const connect = () => new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
const sql = postgres(process.env.DATABASE_URL, { max: 10, onnotice: () => {} });

await sql`create table if not exists bench_attempts (
  id uuid primary key, job_id text not null, event_type text not null, request_url text not null,
  request_headers jsonb not null, response_status integer, response_time_ms integer not null, status text not null,
  created_at timestamptz not null default now())`;
await sql`truncate bench_attempts`;

const queue = new Queue("deliveries", {
  connection: connect(),
  streams: { events: { maxLen: 1 } },
  defaultJobOptions: {
    attempts: 6,
    backoff: { type: "exponential", delay: 60_000 },
    removeOnComplete: true,
  },
});

const counts = { published: 0, delivered: 0 };
const waiting = () => counts.published - counts.delivered;
const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

async function deliver(job) {
  const timestamp = Math.floor(Date.now() / 1000);
  const signature = createHmac("sha256", secret)
    .update(`${job.data.id}.${timestamp}.${job.data.body}`)
    .digest("base64");
  const headers = {
    "content-type": "application/json",
    "webhook-id": job.data.id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": `v1,${signature}`,
  };
  const startedMs = performance.now();
  const response = await fetch(receiverUrl, {
    method: "POST",
    headers,
    body: job.data.body,
    redirect: "manual",
    signal: AbortSignal.timeout(30_000),
  });
  await response.arrayBuffer();
  const elapsedMs = Math.round(performance.now() - startedMs);
  await sql`insert into bench_attempts
    (id, job_id, event_type, request_url, request_headers, response_status, response_time_ms, status)
    values (${randomUUID()}, ${job.id}, ${job.data.type}, ${receiverUrl}, ${sql.json(headers)}, ${response.status},
      ${elapsedMs}, ${response.ok ? "DELIVERED" : "RETRYING"})`;
  if (!response.ok) throw new Error(`The receiver answered ${response.status}`);
  counts.delivered++;
}

const worker = new Worker("deliveries", deliver, { connection: connect(), concurrency: IN_FLIGHT });
worker.on("error", (error) => console.error(error.message));
await worker.waitUntilReady();

async function run(seconds) {
  Object.assign(counts, { published: 0, delivered: 0 });
  await sql`truncate bench_attempts`;
  const startedMs = performance.now();
  while (performance.now() - startedMs < seconds * 1000) {
    if (waiting() > WAITING_MAX) {
      await pause();
      continue;
    }
    const jobs = Array.from({ length: BATCH }, () => {
      const id = randomUUID();
      const data = { id, type: "bench.event", body: `{"id":"${id}","data":"${filler}"}` };
      // The same event makes no second job.
      return { name: "deliver", data, opts: { jobId: id } };
    });
    await queue.addBulk(jobs);
    counts.published += BATCH;
  }
  while (waiting() > 0) await pause();
  const durationMs = performance.now() - startedMs;
  const [{ rows }] = await sql`select count(*)::integer as rows from bench_attempts`;
  return { delivered: counts.delivered, durationMs, rows };
}

const server = createServer(async (request, response) => {
  const seconds = Number(new URL(request.url, "http://localhost").searchParams.get("seconds"));
  response.end(JSON.stringify(await run(seconds)));
});
server.listen(Number(process.env.PORT), "127.0.0.1", () => console.log("ready"));
process.on("SIGTERM", () => process.exit(0));
