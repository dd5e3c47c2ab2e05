import { afterAll, beforeAll, expect, test } from "bun:test";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { type HubProcesses, startHubProcesses } from "../faults/hub-processes.ts";
import { makePartner, type Partner } from "../faults/partner.ts";
import { TargetService } from "../faults/target-service.ts";
import { WebhookSender } from "../faults/webhook-sender.ts";
import type { FaultProxy } from "../support/fault-proxy.ts";
import { startTestPostgresServer, type TestPostgresServer } from "../support/postgres-server.ts";

// Serial: the tests cut off what they share, one after the other.

const SETUP_TIMEOUT_MS = 90_000;
const TEST_TIMEOUT_MS = 180_000;
const CONNECTIONS = 32;
const WEBHOOKS = 300;
const PARTITION_MS = 10_000;
/** A worker notices a silent Postgres after 35 s. */
const RECOVERY_TIMEOUT_MS = 90_000;

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

async function within(what: string, holds: () => boolean | Promise<boolean>): Promise<number> {
  const startedAtMs = Date.now();
  const attempt = async (): Promise<void> => {
    if (!(await holds())) throw new Error(`Not within ${RECOVERY_TIMEOUT_MS / 1000} s: ${what}`);
  };
  await retryUntil(attempt, { everyMs: 50, timeoutMs: RECOVERY_TIMEOUT_MS });
  return Date.now() - startedAtMs;
}

test.each<[string, () => FaultProxy[]]>([
  ["Redis", () => [hub.redisProxy]],
  ["Postgres", () => [hub.postgresProxy]],
  ["both", () => [hub.redisProxy, hub.postgresProxy]],
])(
  "hub is cut off from %s for 10 s, both ends left half-open: it refuses with 503 alone and recovers by itself",
  async (what, proxies) => {
    const sender = new WebhookSender(partner.endpoints);
    sender.start(CONNECTIONS);
    await within("load is under way", () => sender.acknowledged.length >= WEBHOOKS);
    for (const proxy of proxies()) proxy.blackHole(true);
    await Bun.sleep(PARTITION_MS);
    const { size: refusedKinds } = sender.answers;
    for (const proxy of proxies()) proxy.blackHole(false);
    const acknowledged = sender.acknowledged.length;
    const acceptsAfterMs = await within(
      "it accepts again",
      () => sender.acknowledged.length >= acknowledged + WEBHOOKS,
    );
    await sender.finish();
    const routesAfterMs = await within("the target has them all", () =>
      sender.acknowledged.every(({ receiptId }) => target.has(receiptId)),
    );
    await within("the books are closed", async () => (await checkConservation(hub.runtime)).waiting === 0);
    console.log(
      `partition from ${what}: accepts again after ${acceptsAfterMs} ms, all at the target ${routesAfterMs} ms later, ` +
        `answers ${JSON.stringify([...sender.answers])}, slowest in ms ${JSON.stringify([...sender.slowestMs])}`,
    );
    expect(refusedKinds).toBeLessThanOrEqual(2);
    expect((await checkConservation(hub.runtime)).difference).toBe(0);
    expect(sender.givenUp).toEqual([]);
    expect([...sender.answers.keys()].filter((status) => ![200, 503].includes(status))).toEqual([]);
  },
  TEST_TIMEOUT_MS,
);
