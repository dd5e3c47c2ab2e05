import { defineBenchmark } from "./support/benchmark.ts";
import { wholeNumber, wholeNumbers } from "./support/command-line.ts";
import {
  BARE,
  barePeer,
  BODY_BYTES,
  BULLMQ,
  bullmqPeer,
  createSubscriptions,
  type DeliverContender,
  type DeliverRun,
  hubContender,
  hubName,
} from "./support/deliver-contenders.ts";
import { openDeliveryStores } from "./support/delivery-stores.ts";
import { openStores } from "./support/hub-stores.ts";
import { type HubUnderTest, readServices, startHub } from "./support/hub-under-test.ts";
import type { LatencySummary } from "./support/latency.ts";
import { CpuMeter } from "./support/process-cpu.ts";
import { publishSteadily } from "./support/publish-events.ts";
import { publishResult } from "./support/results.ts";
import { type Cell, formatTable, median, rounded } from "./support/table.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./support/webhook-receiver.ts";

const FLAGS = {
  rounds: wholeNumber("alternating rounds; the median counts", { hint: "n", fallback: 5, min: 1, max: 50 }),
  seconds: wholeNumber("publishing time of each run", { hint: "n", fallback: 5, min: 1, max: 60 }),
  subscriptions: wholeNumbers("subscriptions of the hub's rows", {
    hint: "n",
    fallback: [1, 10, 100, 1000],
    min: 1,
    max: 10_000,
  }),
  "idle-seconds": wholeNumber("length of the run for the latency of an idle hub", {
    hint: "n",
    fallback: 20,
    min: 2,
    max: 300,
  }),
};

/** Single events a second for the latency of an idle hub. */
const IDLE_RATE = 20;
/** Compiling takes a fifth of a worker's processor time in its first ten seconds; every contender gets them. */
const WARM_UP_SECONDS = 10;
const IDLE_WARM_UP_SECONDS = 2;
const CPU_GROUPS = ["edge", "worker", "redis", "postgres", "receiver", "publisher"];

/**
 * The receiver is on loopback, which no webhook may reach by default; and a thousand subscriptions are more than one
 * tenant may make in a minute.
 */
const OVERRIDES = { EGRESS_ALLOW_CIDRS: "127.0.0.1", API_RATE_LIMIT: "1000000/60" };

interface Run extends DeliverRun {
  contender: string;
  round: number;
  ratePerSecond: number;
  cpuMicrosPerDelivery: Record<string, number>;
}

/** DESIGN: the way of an event to its receiver against its peers. Everything runs on loopback and stops by itself. */
export const deliverBenchmark = defineBenchmark({
  name: "deliver",
  summary: "events to signed deliveries: rate and latency against a bare fetch loop and BullMQ",
  about: [
    "Starts a hub by its own `start` on data of its own, makes subscriptions, and publishes events of 1 KB over the API",
    "as fast as they are delivered to a receiver on loopback; each event matches one subscription. In turn with a loop",
    "of `fetch`, 64 at a time, and with BullMQ on Node (sign, fetch, one INSERT an attempt) on the same Redis and",
    "Postgres. Then single events to an idle hub: time from publishing to arrival. A run counts only when events",
    "published = distinct ids received = rows of events = rows of delivered attempts.",
    "Takes about seven minutes. Quick look: --rounds 1 --seconds 2 --subscriptions 1,100 --idle-seconds 5",
  ].join("\n"),
  flags: FLAGS,
  async run(flags) {
    console.log("Starting the hub");
    const hub = await startHub(OVERRIDES);
    const services = readServices(hub);
    const [stores, settingsOf] = [openDeliveryStores(services), openStores(services)];
    const receiver = await startWebhookReceiver();
    const contenders: DeliverContender[] = [];
    try {
      const settings = await settingsOf.settings();
      const field = { hub, stores, receiver };
      console.log("Making subscriptions");
      for (const subscriptions of flags.subscriptions)
        contenders.push(await hubContender(field, subscriptions));
      contenders.push(await barePeer(field));
      const bullmq = await bullmqPeer(field);
      if (bullmq !== undefined) contenders.push(bullmq);
      console.log(`${flags.rounds} rounds of ${flags.seconds} s:`);
      const runs = await runRounds(contenders, flags.rounds, flags.seconds);
      console.log("Single events to an idle hub");
      const idle = await measureIdle(hub, receiver, flags["idle-seconds"]);
      const sections = sectionsOf(contenders, runs, idle, settings);
      console.log(`\n${sections.slice(1).join("\n\n")}`);
      const verdict = verdictOf(flags.subscriptions, runs, idle);
      await publishResult({ name: "deliver", sections, data: { runs, idle, settings }, verdict });
    } finally {
      for (const contender of contenders) await contender.stop();
      await receiver.stop();
      await Promise.all([stores.close(), settingsOf.close()]);
      await hub.stop();
    }
  },
});

/** All contenders in turn, the order shifted by one each round, so that none always follows the same one. */
async function runRounds(
  contenders: readonly DeliverContender[],
  rounds: number,
  seconds: number,
): Promise<Run[]> {
  for (const contender of contenders) await contender.run(WARM_UP_SECONDS);
  const runs: Run[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(turn + round) % contenders.length]!;
      const meter = new CpuMeter(contender.processes());
      const result = await contender.run(seconds);
      const cpu = Object.entries(meter.read());
      const delivered = Math.max(1, result.delivered);
      const run: Run = {
        ...result,
        contender: contender.name,
        round,
        ratePerSecond: (result.delivered * 1000) / result.durationMs,
        cpuMicrosPerDelivery: Object.fromEntries(cpu.map(([group, micros]) => [group, micros / delivered])),
      };
      runs.push(run);
      const rate = Math.round(run.ratePerSecond).toLocaleString("en-US");
      const verdict = run.voidBecause === undefined ? "" : `  VOID: ${run.voidBecause}`;
      console.log(`  round ${round}  ${contender.name.padEnd(26)} ${rate.padStart(8)}/s${verdict}`);
    }
  }
  return runs;
}

async function measureIdle(
  hub: HubUnderTest,
  receiver: WebhookReceiver,
  seconds: number,
): Promise<LatencySummary> {
  const { tenant, types } = await createSubscriptions(
    { hub, receiver },
    { slug: "bench-idle", paths: ["/ok/idle"] },
  );
  const plan = { types, bodyBytes: BODY_BYTES, ratePerSecond: IDLE_RATE };
  await publishSteadily({ hub, tenant }, { ...plan, seconds: IDLE_WARM_UP_SECONDS });
  await receiver.reset();
  await publishSteadily({ hub, tenant }, { ...plan, seconds });
  await Bun.sleep(500);
  return (await receiver.received("ok")).latency;
}

function valid(runs: readonly Run[], contender: string): Run[] {
  return runs.filter((run) => run.contender === contender && run.voidBecause === undefined);
}

function medianRate(runs: readonly Run[], contender: string): number {
  return median(valid(runs, contender).map(({ ratePerSecond }) => ratePerSecond));
}

/** Median over the rounds of the first one's rate in shares of the second's in the same round; NaN for none. */
function medianRatio(runs: readonly Run[], first: string, second: string): number {
  return median(
    valid(runs, first).flatMap((run) => {
      const other = valid(runs, second).find(({ round }) => round === run.round);
      return other === undefined ? [] : [run.ratePerSecond / other.ratePerSecond];
    }),
  );
}

function sectionsOf(
  contenders: readonly DeliverContender[],
  runs: readonly Run[],
  idle: LatencySummary,
  settings: Readonly<Record<string, string>>,
): string[] {
  const names = contenders.map(({ name }) => name);
  const rates = names.map((name): Cell[] => [
    name,
    medianRate(runs, name),
    name === BARE ? undefined : medianRatio(runs, name, BARE),
    name === BULLMQ ? undefined : medianRatio(runs, name, BULLMQ),
    valid(runs, name).length,
  ]);
  const cpu = names.map((name): Cell[] => [
    name,
    ...CPU_GROUPS.map((group) => {
      const micros = valid(runs, name).flatMap((run) => run.cpuMicrosPerDelivery[group] ?? []);
      return micros.length === 0 ? "–" : median(micros).toFixed(1);
    }),
  ]);
  const voided = runs.filter(({ voidBecause }) => voidBecause !== undefined);
  return [
    `Settings as the servers report them: ${Object.entries(settings)
      .map(([name, value]) => `${name} ${value}`)
      .join("; ")}.`,
    formatTable(
      ["event → signed delivery → logged", "deliveries/s", "of bare", "of BullMQ", "rounds"],
      rates,
    ),
    formatTable(
      ["publish → first byte, idle", "events/s", "p50 ms", "p99 ms", "max ms", "events"],
      [["hub", IDLE_RATE, idle.p50Ms, idle.p99Ms, idle.maxMs, idle.count]],
    ),
    `CPU time for one delivery, µs:\n\n${formatTable(["contender", ...CPU_GROUPS], cpu)}`,
    voided.length === 0
      ? "Every run counts: published = distinct ids received = rows of events = rows of delivered attempts."
      : `Void runs, left out: ${voided.map((run) => `${run.contender}, round ${run.round}: ${run.voidBecause}`).join("; ")}.`,
  ];
}

/** The last line: top-level figures are those of the most subscriptions up to 100; null: not measured, or void. */
function verdictOf(
  subscriptions: readonly number[],
  runs: readonly Run[],
  idle: LatencySummary,
): Record<string, unknown> {
  const figures = (count: number): Record<string, unknown> => ({
    rate: orNull(medianRate(runs, hubName(count)), 0),
    ratio: {
      bare: orNull(medianRatio(runs, hubName(count), BARE), 3),
      bullmq: orNull(medianRatio(runs, hubName(count), BULLMQ), 2),
    },
  });
  const main = Math.max(...subscriptions.filter((count) => count <= 100), Math.min(...subscriptions));
  return {
    bench: "deliver",
    ...figures(main),
    idle: { p50Ms: idle.p50Ms, p99Ms: idle.p99Ms },
    subscriptions: Object.fromEntries(subscriptions.map((count) => [count, figures(count)])),
    void: runs.filter(({ voidBecause }) => voidBecause !== undefined).length,
  };
}

function orNull(value: number, places: number): number | null {
  return Number.isFinite(value) ? rounded(value, places) : null;
}
