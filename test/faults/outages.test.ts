import { afterAll, beforeAll, expect, test } from "bun:test";
import { inboundKeys } from "../../src/platform/redis/keys.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type HubProcesses, startHubProcesses, until } from "./hub-processes.ts";
import { startTestPostgresServer, type TestPostgresServer } from "../support/postgres-server.ts";
import { makePartner, type Partner } from "./partner.ts";
import { type Sighting, TargetService } from "./target-service.ts";
import { eventBody, sendWebhook, type SenderAnswer, type SenderEndpoint } from "./webhook-sender.ts";

// Serial: the tests break what they share, one after the other.

const SETUP_TIMEOUT_MS = 90_000;
const TEST_TIMEOUT_MS = 120_000;

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

function sightingsOf(eventId: string): Sighting[] {
  return target.sightings.filter((sighting) => sighting.eventId === eventId);
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
    await until("edge and worker keep their subscriptions", async () => {
      const ages = await subscriberAges();
      return ages.length === 2 && ages.every((ageSeconds) => ageSeconds > TWO_BEATS_SECONDS);
    });
  },
  TEST_TIMEOUT_MS,
);

/** A subscription that is taken for dead is renewed at each beat (`BEAT_EVERY_MS`). */
const TWO_BEATS_SECONDS = 6;

/** Seconds for which each process has held its subscriber connection. */
async function subscriberAges(): Promise<number[]> {
  const clients = String(await hub.runtime.redis.call("CLIENT", "LIST"));
  return [...clients.matchAll(/ name=hub-subscriber age=(\d+)/g)].map(([, age]) => Number(age));
}

/** So long that the answer of a command comes after its timeout; it is done all the same. */
const LATENCY_MS = 1_500;

test.each([
  ["lost", () => hub.redisProxy.at({ point: "accept", nth: 1, when: "after" }, async () => undefined)],
  ["late", () => void (hub.redisProxy.latencyMs = LATENCY_MS)],
])(
  "acceptWebhook() answers 503 when Redis' reply is %s; the retry finds the same receipt",
  async (_how, disturb) => {
    const endpoint = await knownEndpoint();
    const eventId = newId();
    disturb();
    expectRefused(await sendWebhook(endpoint, eventId));
    hub.redisProxy.latencyMs = 0;
    await until("the target has what was refused", () => sightingsOf(eventId).length > 0);
    const { receiptId } = await sendUntilAccepted(endpoint, eventId);
    expect(sightingsOf(eventId)).toEqual([{ eventId, receiptId }]);
  },
  TEST_TIMEOUT_MS,
);

test(
  "acceptWebhook() answers 503 while Redis is down, and heals by itself",
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
