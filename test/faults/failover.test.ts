import { expect, test } from "bun:test";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { newId } from "../../src/platform/uuid.ts";
import {
  type ReplicatedRedis,
  startReplicatedCluster,
  startSentinelRedis,
} from "../support/redis-replicas.ts";
import { makePartner } from "./partner.ts";
import { startSeveralProcesses } from "./several-processes.ts";
import { until } from "./hub-processes.ts";
import { sendWebhook, WebhookSender } from "./webhook-sender.ts";

// Serial: each test loads both cores.

const TIMEOUT_MS = 120_000;
const CONNECTIONS = 64;
/** So many that each master of a Cluster has some: with 16, one run in a hundred had none on the one that dies. */
const ENDPOINTS = 64;
/** Webhooks acknowledged before the master is lost. */
const WARM_UP = 500;
/** Acknowledged by all masters while one of them has no replica any more. */
const MORE = 500;
/** With ACK_REPLICAS nothing is acknowledged then. */
const DEAF_MS = 300;

const REPORT_LENGTH = 5_000;

const KINDS: readonly [string, () => Promise<ReplicatedRedis>][] = [
  ["a Cluster", startReplicatedCluster],
  ["Sentinels", startSentinelRedis],
];

for (const [kind, startRedis] of KINDS) {
  for (const ackReplicas of [0, 1]) {
    test(
      `hub recovers by itself when a master of ${kind} dies; with ACK_REPLICAS=${ackReplicas} ` +
        (ackReplicas === 0 ? "only what the replica had not got is lost" : "nothing acknowledged is lost"),
      () => loseMaster(startRedis, ackReplicas),
      TIMEOUT_MS,
    );
  }
}

for (const [kind, startRedis] of KINDS) {
  test(
    `hub recovers by itself when a master of ${kind} hangs with its connections open`,
    () => hangMaster(startRedis),
    TIMEOUT_MS,
  );
}

async function hangMaster(startRedis: () => Promise<ReplicatedRedis>): Promise<void> {
  const redis = await startRedis();
  const hub = await startSeveralProcesses({ redisUrl: redis.url, hosts: ["127.0.0.1"], workers: 1 });
  try {
    const partner = await makePartner(hub, { endpoints: ENDPOINTS });
    const sender = new WebhookSender(partner.endpoints);
    sender.start(CONNECTIONS);
    await until("load is under way", () => sender.acknowledged.length >= WARM_UP);
    redis.pair.master.freeze();
    const hungAtMs = Date.now();
    await redis.untilPromoted();
    for (const endpoint of partner.endpoints) {
      await until(
        "each endpoint is accepted again",
        async () => (await sendWebhook(endpoint, newId())).status === 200,
      );
    }
    const recoveredAfterMs = Date.now() - hungAtMs;
    // It comes back as the replica that it is by now.
    redis.pair.master.thaw();
    await sender.finish();
    await until("everything is finished", async () => (await checkConservation(hub.runtime)).waiting === 0);
    console.log(
      `hung master: accepts again after ${recoveredAfterMs} ms, answers ${JSON.stringify([...sender.answers])}, ` +
        `slowest in ms ${JSON.stringify([...sender.slowestMs])}`,
    );
    expect(sender.givenUp).toEqual([]);
    expect((await checkConservation(hub.runtime)).difference).toBe(0);
    expect([...sender.answers.keys()].filter((status) => ![200, 503].includes(status))).toEqual([]);
  } catch (error) {
    console.error(hub.report().slice(-REPORT_LENGTH));
    throw error;
  } finally {
    await hub.stop();
    await redis.stop();
  }
}

/** Time inside a UUIDv7 (RFC 9562 section 5.7): when the request was received. */
function receivedAtMs(receiptId: string): number {
  return Number.parseInt(receiptId.replaceAll("-", "").slice(0, 12), 16);
}

async function loseMaster(startRedis: () => Promise<ReplicatedRedis>, ackReplicas: number): Promise<void> {
  const redis = await startRedis();
  // The worker comes afterwards: what it had finished before could not be lost.
  const hub = await startSeveralProcesses({
    redisUrl: redis.url,
    hosts: ["127.0.0.1"],
    workers: 1,
    idle: true,
    env: { ACK_REPLICAS: String(ackReplicas) },
  });
  try {
    const partner = await makePartner(hub, { endpoints: ENDPOINTS });
    const sender = new WebhookSender(partner.endpoints);
    sender.start(CONNECTIONS);
    await until("load is under way", () => sender.acknowledged.length >= WARM_UP);
    const acknowledgedBefore = sender.acknowledged.length;
    await redis.cut();
    const acknowledgedAtCut = sender.acknowledged.length;
    if (ackReplicas > 0) await Bun.sleep(DEAF_MS);
    else await until("more is acknowledged", () => sender.acknowledged.length > acknowledgedAtCut + MORE);
    await redis.pair.master.kill();
    redis.pair.replica.thaw();
    const killedAtMs = Date.now();
    const acknowledgedAtDeath = sender.acknowledged.length;
    await redis.untilPromoted();
    const promotedAfterMs = Date.now() - killedAtMs;
    // The new master has nobody who could acknowledge until the old one is back as its replica.
    if (ackReplicas > 0) await redis.pair.master.start();
    // A first round may meet the slots' old owner; every endpoint is accepted in the end.
    for (const endpoint of partner.endpoints) {
      await until("each endpoint is accepted again", async () => {
        const answer = await sendWebhook(endpoint, newId());
        if (answer.status === 503) expect(Number(answer.retryAfter)).toBeGreaterThan(0);
        return answer.status === 200;
      });
    }
    const recoveredAfterMs = Date.now() - killedAtMs;
    await sender.finish();
    await hub.workers[0]!.start();
    await until("everything is finished", async () => (await checkConservation(hub.runtime)).waiting === 0);
    const rows = await hub.runtime.sqlSystem<{ id: string }[]>`select id from webhook_receipts`;
    const found = new Set(rows.map(({ id }) => id));
    const lost = sender.acknowledged.filter(({ receiptId }) => !found.has(receiptId));
    console.log(
      `ACK_REPLICAS=${ackReplicas}: ${acknowledgedAtCut} acknowledged before the cut, ` +
        `${acknowledgedAtDeath - acknowledgedAtCut} between it and the kill, ` +
        `${sender.acknowledged.length} in all, ${lost.length} lost, a new master after ${promotedAfterMs} ms, recovered after ${recoveredAfterMs} ms, ` +
        `answers ${JSON.stringify([...sender.answers])}, ` +
        `slowest in ms ${JSON.stringify([...sender.slowestMs])}`,
    );
    expect(sender.givenUp).toEqual([]);
    if (ackReplicas > 0) expect(lost).toEqual([]);
    else expect(lost.length).toBeGreaterThan(0);
    // What was acknowledged before the cut is there, but for what was on its way to the replica: one of each connection.
    const early = new Set(sender.acknowledged.slice(0, acknowledgedBefore - CONNECTIONS));
    expect(lost.filter((one) => early.has(one))).toEqual([]);
    // And what was acknowledged after the kill is there.
    expect(lost.filter(({ receiptId }) => receivedAtMs(receiptId) > killedAtMs)).toEqual([]);
    expect((await checkConservation(hub.runtime)).difference).toBe(0);
    expect([...sender.answers.keys()].filter((status) => ![200, 503].includes(status))).toEqual([]);
  } catch (error) {
    console.error(hub.report().slice(-REPORT_LENGTH));
    throw error;
  } finally {
    await hub.stop();
    await redis.stop();
  }
}
