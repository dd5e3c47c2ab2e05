import { afterAll, beforeAll, expect, test } from "bun:test";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { newId } from "../../src/platform/uuid.ts";
import { until } from "../faults/hub-processes.ts";
import { makePartner, type Partner } from "../faults/partner.ts";
import { type SeveralProcesses, startSeveralProcesses } from "../faults/several-processes.ts";
import { TargetService } from "../faults/target-service.ts";
import { sendWebhook, type SenderEndpoint, WebhookSender } from "../faults/webhook-sender.ts";
import { startTestRedis, type TestRedis } from "../support/services.ts";

// Serial: the tests share the processes that some of them end.

const TIMEOUT_MS = 120_000;
const CONNECTIONS = 32;

/** Loopback addresses stand for hosts: two edges share the first one's port, the third has a host of its own. */
const HOSTS = ["127.0.0.2", "127.0.0.2", "127.0.0.3"];

let redis: TestRedis;
let hub: SeveralProcesses;
let target: TargetService;
let partner: Partner;
/** The same endpoints as each host's senders see them. */
let endpointsOf: Map<string, SenderEndpoint[]>;
/** 200s so far, of all senders. */
let answered = 0;

beforeAll(async () => {
  redis = await startTestRedis();
  target = new TargetService();
  hub = await startSeveralProcesses({
    redisUrl: redis.url,
    hosts: HOSTS,
    workers: 3,
    env: { EDGE_PROCESSES: "2", WORKER_PROCESSES: "3" },
  });
  partner = await makePartner(hub, { endpoints: 6, targetUrl: target.url });
  endpointsOf = new Map(
    hub.baseUrls.map((baseUrl) => [
      baseUrl,
      partner.endpoints.map(({ url, secret }) => ({ url: url.replace(hub.baseUrl, baseUrl), secret })),
    ]),
  );
}, TIMEOUT_MS);

afterAll(async () => {
  await hub?.stop();
  await Promise.all([redis?.stop(), target?.stop()]);
}, TIMEOUT_MS);

/** Everything that was acknowledged is at the target once, and the books balance. */
async function expectAllDoneOnce(receiptIds: readonly string[], repetitionsMax = 0): Promise<void> {
  await until("the target has them all", () => receiptIds.every((id) => target.has(id)));
  await until("the books are closed", async () => (await checkConservation(hub.runtime)).waiting === 0);
  expect((await checkConservation(hub.runtime)).difference).toBe(0);
  const wanted = new Set(receiptIds);
  const seen = target.sightings.filter(({ receiptId }) => wanted.has(receiptId));
  expect(new Set(seen.map(({ receiptId }) => receiptId)).size).toBe(wanted.size);
  expect(seen.length - wanted.size).toBeLessThanOrEqual(repetitionsMax);
}

test(
  "one event that is sent to several hosts at once is accepted once and processed once",
  async () => {
    const receiptIds = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const eventId = newId();
        const answers = await Promise.all(
          [...endpointsOf.values()].map((endpoints) =>
            sendWebhook(endpoints[index % endpoints.length]!, eventId),
          ),
        );
        expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
        answered += answers.length;
        expect(new Set(answers.map(({ receiptId }) => receiptId)).size).toBe(1);
        return answers[0]!.receiptId;
      }),
    );
    expect(new Set(receiptIds).size).toBe(200);
    await expectAllDoneOnce(receiptIds);
  },
  TIMEOUT_MS,
);

test(
  "several edges and workers do no work twice, and the metrics of all processes are summed",
  async () => {
    const sender = new WebhookSender([...endpointsOf.values()].flat());
    sender.start(CONNECTIONS);
    await until("load is under way", () => sender.acknowledged.length >= 2_000);
    await sender.finish();
    answered += sender.acknowledged.length;
    await expectAllDoneOnce(sender.acknowledged.map(({ receiptId }) => receiptId));
    expect([...sender.answers.keys()]).toEqual([200]);
    // Each process tells its numbers every 5 s; whichever is asked knows them all.
    for (const baseUrl of endpointsOf.keys()) {
      const summed = async (): Promise<void> => {
        expect(await sumOfCounter("hub_accept_total", baseUrl)).toBe(answered);
      };
      await retryUntil(summed, { everyMs: 200, timeoutMs: 80_000 });
    }
  },
  TIMEOUT_MS,
);

/** Sum of a counter over its labels. */
async function sumOfCounter(name: string, baseUrl: string): Promise<number> {
  const text = await (await fetch(`${baseUrl}/metrics`)).text();
  return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, "gm"))].reduce(
    (sum, [, value]) => sum + Number(value),
    0,
  );
}

test(
  "each process restarts alone: what it held is taken over, and every 200 is kept",
  async () => {
    const sender = new WebhookSender([...endpointsOf.values()].flat());
    sender.start(CONNECTIONS);
    await until("load is under way", () => sender.acknowledged.length >= 500);
    for (const process of [...hub.workers, ...hub.edges]) {
      await process.kill();
      await process.start();
    }
    await sender.finish();
    expect(sender.givenUp).toEqual([]);
    expect([...sender.answers.keys()].filter((status) => ![0, 200, 503].includes(status))).toEqual([]);
    // What a worker had sent and not booked when it died is sent again: at most what it held (WEBHOOK_QUEUE_SIZE).
    await expectAllDoneOnce(
      sender.acknowledged.map(({ receiptId }) => receiptId),
      hub.workers.length * 1_000,
    );
  },
  TIMEOUT_MS,
);
