import { afterAll, beforeAll, expect, test } from "bun:test";
import { inboundKeys } from "../../src/platform/redis/keys.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type HubProcesses, startHubProcesses, until } from "./hub-processes.ts";
import { startTestPostgresServer, type TestPostgresServer } from "../support/postgres-server.ts";
import { makePartner, type Partner } from "./partner.ts";
import { TargetService } from "./target-service.ts";
import { eventBody, sendWebhook, type SenderAnswer, type SenderEndpoint } from "./webhook-sender.ts";

// Serial: the tests break what they share, one after the other.

const SETUP_TIMEOUT_MS = 90_000;
const TEST_TIMEOUT_MS = 90_000;

/** Above the size that goes through Postgres (`LARGE_BODY_BYTES`). */
const LARGE_PADDING_BYTES = 100_000;

let postgres: TestPostgresServer;
let hub: HubProcesses;
let target: TargetService;
let partner: Partner;

beforeAll(async () => {
  postgres = await startTestPostgresServer();
  hub = await startHubProcesses(postgres);
  target = new TargetService();
  partner = await makePartner(hub, { endpoints: 3, targetUrl: target.url });
}, SETUP_TIMEOUT_MS);

afterAll(async () => {
  await hub?.stop();
  await Promise.all([postgres?.stop(), target?.stop()]);
}, SETUP_TIMEOUT_MS);

/** One that edge and worker know from now on, because it took a webhook to the target. */
async function knownEndpoint(index = 0): Promise<SenderEndpoint> {
  const endpoint = partner.endpoints[index]!;
  const { receiptId } = await sendUntilAccepted(endpoint);
  await until("the target has the first webhook", () => target.has(receiptId));
  return endpoint;
}

async function sendUntilAccepted(endpoint: SenderEndpoint, eventId = newId()): Promise<SenderAnswer> {
  let answer: SenderAnswer;
  do answer = await sendWebhook(endpoint, eventId);
  while (answer.status !== 200);
  return answer;
}

function expectRefused(answer: SenderAnswer): void {
  expect(answer.status).toBe(503);
  expect(Number(answer.retryAfter)).toBeGreaterThan(0);
}

test(
  "acceptWebhook() answers 503 with Retry-After while Redis is half-open, and heals by itself",
  async () => {
    const endpoint = await knownEndpoint();
    const eventId = newId();
    hub.redisProxy.blackHole(true);
    const refused = await Promise.all([
      sendWebhook(endpoint, eventId),
      ...Array.from({ length: 20 }, () => sendWebhook(endpoint, newId())),
    ]);
    hub.redisProxy.blackHole(false);
    for (const answer of refused) expectRefused(answer);
    const { receiptId } = await sendUntilAccepted(endpoint, eventId);
    await until("the target has it", () => target.has(receiptId));
  },
  TEST_TIMEOUT_MS,
);

test(
  "acceptWebhook() answers 503 when Redis resets its connections, and heals by itself",
  async () => {
    const endpoint = await knownEndpoint();
    await hub.processes.redis.kill();
    for (let index = 0; index < 5; index++) expectRefused(await sendWebhook(endpoint, newId()));
    await hub.processes.redis.start();
    const { receiptId } = await sendUntilAccepted(endpoint);
    await until("the target has it", () => target.has(receiptId));
  },
  TEST_TIMEOUT_MS,
);

test(
  "acceptWebhook() goes on for known endpoints without Postgres; the rest waits until it is back",
  async () => {
    const known = await knownEndpoint();
    const unseen = partner.endpoints[2]!;
    const unknown = { ...unseen, url: `${unseen.url}-unknown` };
    await hub.processes.postgres.kill();
    const accepted = await Promise.all(Array.from({ length: 50 }, () => sendWebhook(known, newId())));
    expect(accepted.map((answer) => answer.status)).toEqual(accepted.map(() => 200));
    // Nobody can say whether these exist: never 404.
    expectRefused(await sendWebhook(unseen, newId()));
    expectRefused(await sendWebhook(unknown, newId()));
    const largeId = newId();
    const large = eventBody(largeId, LARGE_PADDING_BYTES);
    expectRefused(await sendWebhook(known, largeId, large));

    await hub.processes.postgres.start();
    await until("the target has all of them", () => accepted.every(({ receiptId }) => target.has(receiptId)));
    await until("all are stored", async () => (await processed(accepted)) === accepted.length);
    await until(
      "the unseen endpoint is found",
      async () => (await sendWebhook(unseen, newId())).status === 200,
    );
    await until("the unknown one is not", async () => (await sendWebhook(unknown, newId())).status === 404);
    const stored = await sendWebhook(known, largeId, large);
    expect(stored.status).toBe(200);
    await until("the target has the large one", () => target.has(stored.receiptId));
  },
  TEST_TIMEOUT_MS,
);

test(
  "StreamConsumer makes its group again when Redis comes back without stream and group",
  async () => {
    const endpoint = await knownEndpoint();
    const streams = Array.from(
      { length: hub.runtime.config.streamPartitions },
      (_, partition) => inboundKeys(partition).stream,
    );
    await hub.runtime.redis.del(...streams);
    await hub.processes.redis.kill();
    await hub.processes.redis.start();
    const { receiptId } = await sendUntilAccepted(endpoint);
    await until("the target has it", () => target.has(receiptId));
  },
  TEST_TIMEOUT_MS,
);

async function processed(answers: readonly SenderAnswer[]): Promise<number> {
  const [row] = await hub.runtime.sqlSystem<{ count: number }[]>`
    select count(*)::int as count from webhook_receipts
    where id in ${hub.runtime.sqlSystem(answers.map((answer) => answer.receiptId))} and status = 'PROCESSED'`;
  return row!.count;
}
