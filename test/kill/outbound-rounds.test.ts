import { afterAll, beforeAll, expect, test } from "bun:test";
import { systemContext } from "../../src/domain/context.ts";
import { checkDeliveryConservation } from "../../src/domain/deliveries/check-delivery-conservation.ts";
import { SLOTS } from "../../src/domain/deliveries/lane-turns.ts";
import { checkEventConservation } from "../../src/domain/events/check-event-conservation.ts";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import { createTenant } from "../../src/domain/tenancy/create-tenant.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import type { Runtime } from "../../src/platform/runtime.ts";
import { newId } from "../../src/platform/uuid.ts";
import { startTestPostgresServer, type TestPostgresServer } from "../support/postgres-server.ts";
import { CountingReceiver } from "./counting-receiver.ts";
import { EventSender, type PublishedEvent } from "./event-sender.ts";
import { type OutboundHub, SENDERS, startOutboundHub } from "./outbound-hub.ts";
import { describeOutbound, type OutboundPlan, planOutbound, type Strike } from "./outbound-plan.ts";

// Serial: a round keeps both cores busy, and the rounds share the Postgres server that some of them kill.

const ROUNDS = Number(process.env["OUTBOUND_KILL_ROUNDS"] ?? 2);
const EVENTS = Number(process.env["OUTBOUND_KILL_EVENTS"] ?? 3_000);
const SEED = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 1_000_000));

/** Deliveries under way for which the publisher waits, so that events are still published when the victim dies. */
const UNDER_WAY_MAX = 4_000;
const ROUND_TIMEOUT_MS = 300_000;
/** A point that does not come by any more, because all of its calls are over, is not waited for. */
const POINT_WAIT_MS = 2_000;
const DOWN_MS = 500;

/** Who of the subscriptions gets an event. */
const MATCHERS: readonly {
  eventTypes: string[];
  filter?: Record<string, unknown>;
  matches(event: PublishedEvent): boolean;
}[] = [
  { eventTypes: ["order.*"], matches: () => true },
  { eventTypes: ["order.created"], matches: ({ type }) => type === "order.created" },
  {
    eventTypes: ["order.*"],
    filter: { "data.region": { $in: ["EU"] } },
    matches: ({ region }) => region === "EU",
  },
];

let postgres: TestPostgresServer;

beforeAll(async () => {
  postgres = await startTestPostgresServer();
}, ROUND_TIMEOUT_MS);

afterAll(async () => {
  await postgres?.stop();
}, ROUND_TIMEOUT_MS);

console.log(
  `outbound kill rounds: KILL_SEED=${SEED} OUTBOUND_KILL_ROUNDS=${ROUNDS} OUTBOUND_KILL_EVENTS=${EVENTS}`,
);
for (let round = 0; round < ROUNDS; round++) {
  const seed = SEED + round;
  const plan = planOutbound(seed);
  test(
    `hub delivers every accepted event through ${describeOutbound(plan)} (KILL_SEED=${seed})`,
    () => playRound(seed, plan),
    ROUND_TIMEOUT_MS,
  );
}

async function playRound(seed: number, plan: OutboundPlan): Promise<void> {
  const startedMs = performance.now();
  const hub = await startOutboundHub(postgres);
  const receivers = MATCHERS.map(() => new CountingReceiver());
  try {
    const sender = await prepare(hub.runtime, hub.baseUrl, receivers);
    const arrived = (): number => sum(receivers, ({ seen }) => seen.size);
    // Of four events in a row two are of the one type, and of eight two from the one region.
    const total = EVENTS * 1.75;
    const publishing = sender.publish(
      EVENTS,
      () => sender.accepted.length * (total / EVENTS) - arrived() < UNDER_WAY_MAX,
    );
    for (const strike of plan.strikes) {
      await until(`${strike.atShare} arrived`, () => arrived() >= strike.atShare * total);
      await carryOut(hub, plan, strike);
    }
    await publishing;
    const expected = MATCHERS.map(({ matches }) => sender.accepted.filter(matches));
    await until("everything arrived", () =>
      receivers.every(({ seen }, index) => seen.size >= expected[index]!.length),
    );
    await until("the books are closed", () => booksAreClosed(hub.runtime));
    const repeated = sum(receivers, (receiver) => receiver.repeated);
    const allowed = repetitionsAllowed(plan);
    const { difference } = await checkDeliveryConservation(hub.runtime);
    const { difference: eventDifference } = await checkEventConservation(hub.runtime);
    console.log(
      `outbound round ${seed}: ${describeOutbound(plan)}: ${sender.accepted.length} accepted, ${arrived()} deliveries, ` +
        `${repeated} repeated of ${allowed} allowed, difference ${difference} and ${eventDifference}, ` +
        `${((performance.now() - startedMs) / 1000).toFixed(1)} s`,
    );
    for (const [index, events] of expected.entries()) {
      const { seen, faults } = receivers[index]!;
      expect(faults).toEqual([]);
      expect(events.filter(({ id }) => seen.get(id)?.isAnswered !== true)).toEqual([]);
      expect(seen.size).toBe(events.length);
    }
    expect(repeated).toBeLessThanOrEqual(allowed);
    expect({ difference, eventDifference }).toEqual({ difference: 0, eventDifference: 0 });
    // Refused in words or cut off, nothing else.
    expect([...sender.answers.keys()].filter((status) => ![0, 202, 503].includes(status))).toEqual([]);
    expect(await deliveredOnce(hub.runtime)).toEqual({ deliveries: arrived(), delivered: arrived() });
  } catch (error) {
    console.error(hub.report());
    throw error;
  } finally {
    await hub.stop();
    await Promise.all(receivers.map((receiver) => receiver.stop()));
  }
}

/** A tenant, its subscriptions and its publisher. */
async function prepare(
  runtime: Runtime,
  baseUrl: string,
  receivers: readonly CountingReceiver[],
): Promise<EventSender> {
  const slug = `t-${newId().slice(-12)}`;
  const made = await createTenant(systemContext(runtime, newId(), "test", newId()), { slug });
  const ctx = systemContext(runtime, made.tenant.id, "test", newId());
  for (const [index, { eventTypes, filter }] of MATCHERS.entries()) {
    await createSubscription(ctx, {
      name: `receiver ${index}`,
      url: receivers[index]!.url,
      eventTypes,
      retryIntervals: [1],
      ...(filter === undefined ? {} : { filter }),
    });
  }
  return new EventSender(baseUrl, made.apiKey);
}

/** Kills the victim at the strike's moment, leaves it dead for a while and starts it again. */
async function carryOut(hub: OutboundHub, { victim }: OutboundPlan, { moment }: Strike): Promise<void> {
  const process = hub.processes[victim];
  let killed: Promise<void> | undefined;
  const kill = (): Promise<void> => (killed ??= process.kill());
  if (moment !== undefined) {
    const struck = Promise.withResolvers<void>();
    hub.redisProxy.at(moment, () => kill().then(struck.resolve));
    await Promise.race([struck.promise, Bun.sleep(POINT_WAIT_MS)]);
  }
  await kill();
  await Bun.sleep(DOWN_MS);
  await process.start();
}

/** What one death can make happen again: the slots of a sender that died, of all when Redis took their leases. */
function repetitionsAllowed({ victim, strikes }: OutboundPlan): number {
  const processes = victim === "worker" ? 1 : victim === "redis" ? SENDERS : 0;
  return SLOTS * processes * strikes.length;
}

async function booksAreClosed(runtime: Runtime): Promise<boolean> {
  const { live } = await checkDeliveryConservation(runtime);
  const { waiting } = await checkEventConservation(runtime);
  return live === 0 && waiting === 0;
}

/** Deliveries that were attempted, and those of which an attempt is DELIVERED. */
async function deliveredOnce(runtime: Runtime): Promise<{ deliveries: number; delivered: number }> {
  const [row] = await runtime.sqlSystem<{ deliveries: number; delivered: number }[]>`
    select count(distinct delivery_id)::int as deliveries,
      (count(distinct delivery_id) filter (where status = 'DELIVERED'))::int as delivered
    from webhook_deliveries`;
  return row!;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const attempt = async (): Promise<void> => {
    if (!(await holds())) throw new Error(`Not within ${ROUND_TIMEOUT_MS / 2000} s: ${what}`);
  };
  await retryUntil(attempt, { everyMs: 20, timeoutMs: ROUND_TIMEOUT_MS / 2 });
}
