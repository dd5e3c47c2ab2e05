import { afterAll, beforeAll, expect, test } from "bun:test";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { inboundKeys } from "../../src/platform/redis/keys.ts";
import type { Runtime } from "../../src/platform/runtime.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type HubProcesses, startHubProcesses, until } from "../faults/hub-processes.ts";
import { makePartner, type Partner } from "../faults/partner.ts";
import { TargetService } from "../faults/target-service.ts";
import { sendWebhook, WebhookSender } from "../faults/webhook-sender.ts";
import { startTestPostgresServer, type TestPostgresServer } from "../support/postgres-server.ts";
import { judge } from "./judge.ts";
import { describePlan, planRound, type RoundPlan } from "./round-plan.ts";

// Serial: a round keeps both cores busy, and the rounds share the Postgres server that some of them kill.

const ROUNDS = Number(process.env["KILL_ROUNDS"] ?? 3);
const SEED = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 1_000_000));

const CONNECTIONS = 96;
/** In flight or accepted and not yet answered by the target, when the victim dies. */
const WAITING_MIN = 2_000;
const TENANTS = 2;
const ENDPOINTS_EACH = 4;
/** WEBHOOK_QUEUE_SIZE: what one worker holds unacknowledged, so all that its death can repeat. */
const QUEUE_SIZE = 1_000;

const ROUND_TIMEOUT_MS = 120_000;

let postgres: TestPostgresServer;

beforeAll(async () => {
  postgres = await startTestPostgresServer();
}, ROUND_TIMEOUT_MS);

afterAll(async () => {
  await postgres?.stop();
}, ROUND_TIMEOUT_MS);

console.log(`kill rounds: KILL_SEED=${SEED} KILL_ROUNDS=${ROUNDS}`);
for (let round = 0; round < ROUNDS; round++) {
  const seed = SEED + round;
  const plan = planRound(seed);
  test(
    `hub keeps every 200 through a ${describePlan(plan)} (KILL_SEED=${seed} KILL_ROUNDS=1)`,
    () => playRound(seed, plan),
    ROUND_TIMEOUT_MS,
  );
}

async function playRound(seed: number, plan: RoundPlan): Promise<void> {
  const startedMs = performance.now();
  const target = new TargetService();
  const hub = await startHubProcesses(postgres, { env: { WEBHOOK_QUEUE_SIZE: String(QUEUE_SIZE) } });
  const partners = await Promise.all(
    Array.from({ length: TENANTS }, () =>
      makePartner(hub, { endpoints: ENDPOINTS_EACH, targetUrl: target.url }),
    ),
  );
  const sender = new WebhookSender(partners.flatMap(({ endpoints }) => endpoints));
  try {
    await strikeUnderLoad(hub, plan, sender, target);
    await drain(hub.runtime, sender, target);
    const evidence = {
      acknowledged: sender.acknowledged,
      sightings: target.sightings,
      statuses: await receiptStatuses(hub.runtime, partners),
      repetitionsMax: plan.victim === "edge" ? 0 : QUEUE_SIZE,
    };
    const difference = await differenceOf(hub.runtime);
    const distinct = new Set(target.sightings.map(({ receiptId }) => receiptId)).size;
    console.log(
      `round ${seed}: ${describePlan(plan)}: ${sender.acknowledged.length} acknowledged, ${distinct} at the target, ` +
        `${target.sightings.length - distinct} repeated, difference ${difference}, ` +
        `${((performance.now() - startedMs) / 1000).toFixed(1)} s`,
    );
    expect(sender.givenUp).toEqual([]);
    expect(judge(evidence)).toEqual([]);
    // Refused in words or cut off, nothing else: no 404, no 401, no 500.
    expect([...sender.answers.keys()].filter((status) => ![0, 200, 503].includes(status))).toEqual([]);
    expect(difference).toBe(0);
    await removeOneByHand(hub, partners[0]!);
    expect(await differenceOf(hub.runtime)).toBe(1);
  } catch (error) {
    console.error(hub.report());
    throw error;
  } finally {
    target.isHeld = () => false;
    await sender.finish();
    await hub.stop();
    await target.stop();
  }
}

/** Kills the victim while WAITING_MIN webhooks are under way and more arrive, and starts it again. */
async function strikeUnderLoad(
  hub: HubProcesses,
  plan: RoundPlan,
  sender: WebhookSender,
  target: TargetService,
): Promise<void> {
  const waiting = (): number => sender.acknowledged.length + sender.inFlight - target.answered.size;
  // The target answers just as slowly as it takes to keep so many waiting; the margin is what a moment counts twice.
  const enough = WAITING_MIN + CONNECTIONS;
  target.isHeld = () => waiting() < enough;
  sender.start(CONNECTIONS);
  await until(`${enough} webhooks are under way`, () => waiting() >= enough);
  let waitingAtDeath: number | undefined;
  const strike = async (): Promise<void> => {
    const count = waiting();
    await hub.processes[plan.victim].kill();
    waitingAtDeath = count;
  };
  const { moment } = plan;
  if (moment.kind === "point") {
    const proxy = moment.server === "redis" ? hub.redisProxy : hub.postgresProxy;
    proxy.at(moment, strike);
    await until(`${moment.point} number ${moment.nth}`, () => waitingAtDeath !== undefined);
  } else {
    await Bun.sleep(moment.delayMs);
    await strike();
  }
  expect(waitingAtDeath).toBeGreaterThanOrEqual(WAITING_MIN);
  await hub.processes[plan.victim].start();
}

/** Lets everything begun come to its end: each webhook has its 200, and nothing is left to do. */
async function drain(runtime: Runtime, sender: WebhookSender, target: TargetService): Promise<void> {
  target.isHeld = () => false;
  await sender.finish();
  await until("nothing is in stream, retry or held", async () => (await unfinished(runtime)) === 0);
}

/** Entries that the hub has not finished, counted past its own books. */
async function unfinished(runtime: Runtime): Promise<number> {
  const { redis, config } = runtime;
  const counts = Array.from({ length: config.streamPartitions }, (_, partition) => {
    const keys = inboundKeys(partition);
    return [redis.xlen(keys.stream), redis.zcard(keys.retry), redis.scard(keys.held)];
  });
  return (await Promise.all(counts.flat())).reduce((sum, count) => sum + count, 0);
}

async function receiptStatuses(runtime: Runtime, partners: readonly Partner[]): Promise<Map<string, string>> {
  const tenants = partners.map(({ ctx }) => ctx.tenantId);
  const rows = await runtime.sqlSystem<{ id: string; status: string }[]>`
    select id, status from webhook_receipts where tenant_id in ${runtime.sqlSystem(tenants)}`;
  return new Map(rows.map(({ id, status }) => [id, status]));
}

async function differenceOf(runtime: Runtime): Promise<number> {
  return (await checkConservation(runtime)).difference;
}

/** The books must notice what no worker did: an accepted entry that is gone. */
async function removeOneByHand(hub: HubProcesses, partner: Partner): Promise<void> {
  const { redis, config } = hub.runtime;
  await hub.processes.worker.kill();
  const { status } = await sendWebhook(partner.endpoints[0]!, newId());
  expect(status).toBe(200);
  for (let partition = 0; partition < config.streamPartitions; partition++) {
    const { stream } = inboundKeys(partition);
    for (const [id] of await redis.xrange(stream, "-", "+")) await redis.xdel(stream, id);
  }
}
