import { afterAll, beforeAll, expect, test } from "bun:test";
import { newId } from "../../src/platform/uuid.ts";
import { type HubProcesses, startHubProcesses } from "./hub-processes.ts";
import { startTestPostgresServer, type TestPostgresServer } from "../support/postgres-server.ts";
import { makePartner, type Partner } from "./partner.ts";
import { missingStrace, tamperWithSync } from "./strace.ts";
import { sendWebhook } from "./webhook-sender.ts";

// Serial: both tests tamper with the one Redis, and the second ends it.

const SETUP_TIMEOUT_MS = 90_000;
const TEST_TIMEOUT_MS = 120_000;

const DELAY_MS = 300;
const SENDERS = 16;
const WEBHOOKS_EACH = 5;

const missing = await missingStrace();
if (missing !== undefined) console.warn(`SKIPPED: no fsync can be delayed or failed, ${missing}`);

let postgres: TestPostgresServer;
let hub: HubProcesses;
let partner: Partner;

beforeAll(async () => {
  if (missing !== undefined) return;
  postgres = await startTestPostgresServer();
  hub = await startHubProcesses(postgres, { without: ["worker"] });
  partner = await makePartner(hub, { endpoints: 4 });
  for (const endpoint of partner.endpoints) await sendWebhook(endpoint, newId());
}, SETUP_TIMEOUT_MS);

afterAll(async () => {
  await hub?.stop();
  await postgres?.stop();
}, SETUP_TIMEOUT_MS);

/**
 * So many senders at once, one webhook after the other, with the times at which each was sent and answered.
 *
 * @param again whether a refused one is sent again: a slow disk may need longer than a sender is let wait
 */
async function sendAll(again: boolean): Promise<{ sentMs: number; answeredMs: number; status: number }[]> {
  const results: { sentMs: number; answeredMs: number; status: number }[] = [];
  const sender = async (index: number): Promise<void> => {
    for (let turn = 0; turn < WEBHOOKS_EACH;) {
      const sentMs = Date.now();
      const { status } = await sendWebhook(partner.endpoints[index % partner.endpoints.length]!, newId());
      results.push({ sentMs, answeredMs: Date.now(), status });
      if (status === 200 || !again) turn++;
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, (_, index) => sender(index)));
  return results;
}

test.skipIf(missing !== undefined)(
  "acceptWebhook() answers no 200 before the fdatasync of its entry has ended",
  async () => {
    const tracing = await tamperWithSync(hub.processes.redis.pid(), `delay_enter=${DELAY_MS * 1000}`);
    const results = await sendAll(true);
    const syncs = await tracing.syncs();
    await tracing.stop();
    const accepted = results.filter(({ status }) => status === 200);
    expect(accepted.length).toBe(SENDERS * WEBHOOKS_EACH);
    expect(results.filter(({ status }) => status !== 200 && status !== 503)).toEqual([]);
    // The clock of the test counts whole milliseconds.
    const early = accepted.filter(
      ({ sentMs, answeredMs }) =>
        !syncs.some(({ beganMs, endedMs }) => beganMs >= sentMs && endedMs < answeredMs + 1),
    );
    expect(early).toEqual([]);
  },
  TEST_TIMEOUT_MS,
);

test.skipIf(missing !== undefined)(
  "acceptWebhook() answers no 200 when fdatasync fails",
  async () => {
    const tracing = await tamperWithSync(hub.processes.redis.pid(), "error=EIO");
    const results = await sendAll(false);
    const syncs = await tracing.syncs();
    await tracing.stop();
    expect(syncs.some(({ failed }) => failed)).toBe(true);
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set([503]));
  },
  TEST_TIMEOUT_MS,
);
