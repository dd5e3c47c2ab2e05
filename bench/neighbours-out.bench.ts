import { defineBenchmark } from "./support/benchmark.ts";
import { optionalText, UsageError, wholeNumber } from "./support/command-line.ts";
import { BODY_BYTES, createSubscriptions } from "./support/deliver-contenders.ts";
import { callHub, type HubUnderTest, readServices, startHub, type Tenant } from "./support/hub-under-test.ts";
import { type DeliveryStores, openDeliveryStores } from "./support/delivery-stores.ts";
import type { LatencySummary } from "./support/latency.ts";
import { publishSteadily } from "./support/publish-events.ts";
import { publishResult } from "./support/results.ts";
import { type Cell, formatTable, median, rounded } from "./support/table.ts";
import { startWebhookReceiver, type WebhookReceiver } from "./support/webhook-receiver.ts";

const FLAGS = {
  rounds: wholeNumber("rounds of each scenario; the median counts", {
    hint: "n",
    fallback: 3,
    min: 1,
    max: 50,
  }),
  seconds: wholeNumber("length of each phase", { hint: "n", fallback: 10, min: 2, max: 300 }),
  rate: wholeNumber("events a second, all subscriptions together", {
    hint: "n",
    fallback: 400,
    min: 10,
    max: 5000,
  }),
  only: optionalText("one scenario by its name; all when left out", "name"),
};

const SUBSCRIPTIONS = 100;
/** The bad receivers have been bad for so long when the others are measured. */
const HEAD_START_SECONDS = 2;
const ARRIVAL_TIMEOUT_MS = 20_000;

/** What some of a hundred receivers do. */
interface Scenario {
  name: string;
  about: string;
  /** Of a hundred. */
  bad: number;
  path: string;
}

const SCENARIOS: readonly Scenario[] = [
  { name: "hang-1", about: "1 of 100 never answers", bad: 1, path: "/hang" },
  { name: "hang-10", about: "10 of 100 never answer", bad: 10, path: "/hang" },
  { name: "hang-30", about: "30 of 100 never answer", bad: 30, path: "/hang" },
  { name: "hang-64", about: "64 of 100 never answer", bad: 64, path: "/hang" },
  { name: "hang-90", about: "90 of 100 never answer", bad: 90, path: "/hang" },
  // What the other scenarios cost by their events alone: the good receivers' phase has only their own.
  { name: "prompt-30", about: "30 of 100 are good too", bad: 30, path: "/slow/0" },
  { name: "fail-10", about: "10 of 100 answer 500", bad: 10, path: "/fail" },
  { name: "slow-20ms", about: "1 of 100 takes 20 ms", bad: 1, path: "/slow/20" },
  { name: "slow-2s", about: "1 of 100 takes 2 s", bad: 1, path: "/slow/2000" },
];

/** The good receivers in one phase. */
interface Phase {
  published: number;
  /** Events for good receivers that did not arrive in time. */
  missing: number;
  repeated: number;
  latency: LatencySummary;
}

/** One round of a scenario. */
interface Round {
  alone: Phase;
  together: Phase;
}

interface Result {
  scenario: Scenario;
  rounds: Round[];
}

/** DESIGN, promise 4: one slow receiver never delays another. */
export const neighboursOutBenchmark = defineBenchmark({
  name: "neighbours-out",
  summary: "good receivers' latency while 1 to 90 of 100 hang, some fail or are slow",
  about: [
    "Starts a hub by its own `start` on data of its own. For each scenario a tenant with 100 subscriptions gets events at",
    "a steady rate: first only the good receivers', then everybody's at the same rate a receiver. Measured is the time",
    "from publishing to arrival at the good ones. Each round has a tenant of its own, because one stall of the disk can",
    "double the p99 of a phase. Takes about fourteen minutes.",
    "Quick look: --rounds 1 --seconds 4 --only hang-10",
  ].join("\n"),
  flags: FLAGS,
  async run(flags) {
    const chosen = SCENARIOS.filter(({ name }) => flags.only === undefined || flags.only === name);
    if (chosen.length === 0) {
      throw new UsageError(`--only must be one of ${SCENARIOS.map(({ name }) => name).join(", ")}`);
    }
    console.log("Starting the hub");
    // The receiver is on loopback, which no webhook may reach by default; 100 subscriptions a scenario are made at once.
    const hub = await startHub({ EGRESS_ALLOW_CIDRS: "127.0.0.1", API_RATE_LIMIT: "1000000/60" });
    const stores = openDeliveryStores(readServices(hub));
    const receiver = await startWebhookReceiver();
    try {
      const results: Result[] = [];
      for (const scenario of chosen) {
        console.log(`${scenario.name}: ${scenario.about}`);
        const rounds: Round[] = [];
        for (let round = 1; round <= flags.rounds; round++)
          rounds.push(await runRound({ hub, stores, receiver, scenario, round, ...flags }));
        results.push({ scenario, rounds });
      }
      const sections = sectionsOf(results);
      console.log(`\n${sections.join("\n\n")}`);
      const verdict = { bench: "neighbours-out", scenarios: verdictOf(results) };
      await publishResult({ name: "neighbours-out", sections, data: results, verdict });
    } finally {
      await receiver.stop();
      await stores.close();
      await hub.stop();
    }
  },
});

async function runRound(options: {
  hub: HubUnderTest;
  stores: DeliveryStores;
  receiver: WebhookReceiver;
  scenario: Scenario;
  round: number;
  seconds: number;
  rate: number;
}): Promise<Round> {
  const { hub, stores, receiver, scenario, round, seconds, rate } = options;
  const paths = Array.from({ length: SUBSCRIPTIONS }, (_, index) => {
    // Bad ones are spread over the list, as they would be in life.
    const isBad = (index * scenario.bad) % SUBSCRIPTIONS < scenario.bad;
    return isBad ? `${scenario.path}/${index}` : `/ok/${index}`;
  });
  const slug = `${scenario.name}-${round}`;
  const { tenant, types, ids } = await createSubscriptions({ hub, receiver }, { slug, paths });
  const goodTypes = types.filter((_, index) => paths[index]!.startsWith("/ok/"));
  const target = { hub, tenant };
  const goodRate = (rate * goodTypes.length) / SUBSCRIPTIONS;
  await publishPhase(target, { types: goodTypes, ratePerSecond: goodRate, seconds: HEAD_START_SECONDS });
  const alone = await measure(target, receiver, { types: goodTypes, goodTypes, rate: goodRate, seconds });
  await publishPhase(target, { types, ratePerSecond: rate, seconds: HEAD_START_SECONDS });
  const together = await measure(target, receiver, { types, goodTypes, rate, seconds });
  // The next round is to have its own bad receivers and no others: these get nothing more, and what hangs is let go of.
  for (const [index, id] of ids.entries()) {
    if (paths[index]!.startsWith("/ok/")) continue;
    await callHub(hub, tenant, { method: "POST", path: `/api/v1/webhooks/subscriptions/${id}/pause` });
  }
  await receiver.reset();
  await stores.clear();
  return { alone, together };
}

type Target = { hub: HubUnderTest; tenant: Tenant };

function publishPhase(
  target: Target,
  plan: { types: readonly string[]; ratePerSecond: number; seconds: number },
): Promise<number> {
  return publishSteadily(target, { ...plan, bodyBytes: BODY_BYTES });
}

/** Counts begin with the phase; what is left over from the head start arrives within half a second. */
async function measure(
  target: Target,
  receiver: WebhookReceiver,
  plan: { types: readonly string[]; goodTypes: readonly string[]; rate: number; seconds: number },
): Promise<Phase> {
  await Bun.sleep(500);
  await receiver.forget("ok");
  const total = await publishPhase(target, { ...plan, ratePerSecond: plan.rate });
  // Types take turns, so the good ones' share is exact for whole turns.
  const turns = Math.floor(total / plan.types.length);
  const rest = plan.types.slice(0, total % plan.types.length).filter((type) => plan.goodTypes.includes(type));
  const published = turns * plan.goodTypes.length + rest.length;
  const deadlineMs = Date.now() + ARRIVAL_TIMEOUT_MS;
  let received = await receiver.received("ok");
  while (received.distinct < published && Date.now() < deadlineMs) {
    await Bun.sleep(100);
    received = await receiver.received("ok");
  }
  return {
    published,
    missing: published - received.distinct,
    repeated: received.repeated,
    latency: received.latency,
  };
}

/** Median over the rounds. */
function over({ rounds }: Result, pick: (round: Round) => number): number {
  return median(rounds.map(pick));
}

function ratioOf(result: Result): number {
  return over(result, ({ alone, together }) => together.latency.p99Ms / alone.latency.p99Ms);
}

function totalOf({ rounds }: Result, pick: (phase: Phase) => number): number {
  return rounds.reduce((sum, { together }) => sum + pick(together), 0);
}

function sectionsOf(results: readonly Result[]): string[] {
  const rows = results.map((result): Cell[] => [
    result.scenario.about,
    over(result, ({ alone }) => alone.latency.p50Ms),
    over(result, ({ together }) => together.latency.p50Ms),
    over(result, ({ alone }) => alone.latency.p99Ms),
    over(result, ({ together }) => together.latency.p99Ms),
    ratioOf(result),
    totalOf(result, ({ missing }) => missing),
  ]);
  return [
    "Time from publishing to arrival at the good receivers, ms.",
    formatTable(
      ["neighbours", "p50 alone", "p50 beside", "p99 alone", "p99 beside", "p99 ratio", "missing"],
      rows,
    ),
  ];
}

function verdictOf(results: readonly Result[]): Record<string, unknown> {
  return Object.fromEntries(
    results.map((result) => [
      result.scenario.name,
      {
        p50Ms: {
          alone: over(result, ({ alone }) => alone.latency.p50Ms),
          beside: over(result, ({ together }) => together.latency.p50Ms),
        },
        p99Ms: {
          alone: over(result, ({ alone }) => alone.latency.p99Ms),
          beside: over(result, ({ together }) => together.latency.p99Ms),
        },
        ratio: rounded(ratioOf(result), 2),
        missing: totalOf(result, ({ missing }) => missing),
        repeated: totalOf(result, ({ repeated }) => repeated),
      },
    ]),
  );
}
