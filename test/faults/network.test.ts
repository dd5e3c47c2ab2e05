import { afterAll, beforeAll, expect, test } from "bun:test";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { startTestPostgresServer, type TestPostgresServer } from "../support/postgres-server.ts";
import { type HubProcesses, startHubProcesses, until } from "./hub-processes.ts";
import { makePartner, type Partner } from "./partner.ts";
import { TargetService } from "./target-service.ts";
import { WebhookSender } from "./webhook-sender.ts";

// Serial: the tests disturb the network of the one hub, one after the other.

const SETUP_TIMEOUT_MS = 90_000;
const TEST_TIMEOUT_MS = 120_000;
const CONNECTIONS = 32;
const WEBHOOKS = 300;

let postgres: TestPostgresServer;
let hub: HubProcesses;
let target: TargetService;
let partner: Partner;

beforeAll(async () => {
  postgres = await startTestPostgresServer();
  hub = await startHubProcesses(postgres);
  target = new TargetService();
  partner = await makePartner(hub, { endpoints: 4, targetUrl: target.url });
}, SETUP_TIMEOUT_MS);

afterAll(async () => {
  await hub?.stop();
  await Promise.all([postgres?.stop(), target?.stop()]);
}, SETUP_TIMEOUT_MS);

const RESETS = 10;
const RESET_EVERY_MS = 100;

async function resetAgainAndAgain(): Promise<void> {
  for (let round = 0; round < RESETS; round++) {
    hub.redisProxy.reset();
    hub.postgresProxy.reset();
    await Bun.sleep(RESET_EVERY_MS);
  }
}

test.each<[string, () => Promise<void>]>([
  ["is reset again and again", resetAgainAndAgain],
  ["is slow and narrow", () => narrow(20, 256 * 1024)],
  // Slower than what arrives: commands time out, and what they did comes to light by the senders' retries.
  ["is far too narrow for the load", () => narrow(0, 16 * 1024)],
])(
  "hub keeps every 200 while the network to Redis and Postgres %s, and refuses with 503 alone",
  async (_how, disturb) => {
    const sender = new WebhookSender(partner.endpoints);
    sender.start(CONNECTIONS);
    await until("load is under way", () => sender.acknowledged.length >= WEBHOOKS);
    await disturb();
    const acknowledged = sender.acknowledged.length;
    await until("it goes on", () => sender.acknowledged.length >= acknowledged + WEBHOOKS);
    await sender.finish();
    await until("the target has them all", () =>
      sender.acknowledged.every(({ receiptId }) => target.has(receiptId)),
    );
    await until("the books are closed", async () => (await checkConservation(hub.runtime)).waiting === 0);
    expect((await checkConservation(hub.runtime)).difference).toBe(0);
    expect(sender.givenUp).toEqual([]);
    expect([...sender.answers.keys()].filter((status) => ![200, 503].includes(status))).toEqual([]);
  },
  TEST_TIMEOUT_MS,
);

const NARROW_MS = 3_000;

async function narrow(latencyMs: number, bytesPerSecond: number): Promise<void> {
  for (const proxy of [hub.redisProxy, hub.postgresProxy])
    Object.assign(proxy, { latencyMs, bytesPerSecond });
  await Bun.sleep(NARROW_MS);
  for (const proxy of [hub.redisProxy, hub.postgresProxy]) {
    Object.assign(proxy, { latencyMs: 0, bytesPerSecond: 0 });
  }
}
