import {
  type BadNeighbour,
  badNeighbours,
  createNeighbourEndpoints,
  type NeighbourCounts,
} from "./support/bad-neighbours.ts";
import { defineBenchmark } from "./support/benchmark.ts";
import { optionalText, UsageError, wholeNumber } from "./support/command-line.ts";
import { driveLoad } from "./support/drive-load.ts";
import { type HubStores, openStores } from "./support/hub-stores.ts";
import {
  callHub,
  createEndpoint,
  createTenant,
  type HubUnderTest,
  readServices,
  startHub,
  type Tenant,
} from "./support/hub-under-test.ts";
import type { LatencySummary } from "./support/latency.ts";
import type { LoadEndpoint } from "./support/load-endpoint.ts";
import { publishResult } from "./support/results.ts";
import { type Cell, formatTable, rounded } from "./support/table.ts";
import { startTargetSink, type TargetSink } from "./support/target-sink.ts";

const FLAGS = {
  seconds: wholeNumber("length of each phase", { hint: "n", fallback: 15, min: 3, max: 300 }),
  rate: wholeNumber("requests a second of the good senders", {
    hint: "n",
    fallback: 400,
    min: 10,
    max: 5000,
  }),
  only: optionalText("one neighbour by its name; all when left out", "name"),
  "flood-rate": wholeNumber("requests a second of the flood", {
    hint: "n",
    fallback: 4000,
    min: 100,
    max: 50_000,
  }),
};

/** Paths of the sink: for what is routed as it came, and for what passed a transformation. */
const PLAIN = "/plain";
const TRANSFORMED = "/transformed";

const GOOD_TRANSFORMATION = '{ "id": id, "occurredAt": occurredAt, "status": load.status }';

/** The neighbour sends this long before the good senders are measured, so that it is in full swing. */
const HEAD_START_SECONDS = 2;

/** Time for what was accepted to reach the sink. */
const ARRIVAL_TIMEOUT_MS = 20_000;

/** Time for a neighbour's own backlog to go away before the next one is tried. */
const CALM_TIMEOUT_MS = 60_000;

/** Latencies of the good senders in one phase. */
interface Phase {
  accept: LatencySummary;
  plain: LatencySummary;
  transformed: LatencySummary;
  sent: number;
  /** Accepted events that did not reach the sink in time. */
  missing: number;
  refused: number;
}

interface Scenario {
  neighbour: BadNeighbour;
  alone: Phase;
  together: Phase;
  /** The neighbour's own requests, and its receipts by status. */
  counts: NeighbourCounts;
  outcomes: Record<string, number>;
}

/** DESIGN, promise 4: one bad neighbour hurts nobody. */
export const neighboursInBenchmark = defineBenchmark({
  name: "neighbours-in",
  summary: "good senders' latency while one neighbour hangs, floods, or sends poison",
  about: [
    "Starts a hub by its own `start` with defaults. Good senders post at a steady rate to endpoints with and without a",
    "transformation, first alone, then beside one bad neighbour after another (another tenant). Measured: time until",
    "the 200, and time from sending to arrival at the target service. Everything good must arrive.",
  ].join("\n"),
  flags: FLAGS,
  async run(flags) {
    const all = badNeighbours(flags["flood-rate"]);
    const neighbours = all.filter(({ name }) => flags.only === undefined || name === flags.only);
    if (neighbours.length === 0) {
      throw new UsageError(`--only must be one of ${all.map(({ name }) => name).join(", ")}`);
    }
    console.log("Starting the hub");
    const hub = await startHub();
    const stores = openStores(readServices(hub));
    const sink = startTargetSink();
    try {
      const good = await createGoodEndpoints(hub, sink);
      const badTenant = await createTenant(hub, "bench-bad");
      const measure = (seconds: number): Promise<Phase> =>
        measurePhase({ hub, sink, endpoints: good, ratePerSecond: flags.rate, seconds });
      await measure(HEAD_START_SECONDS);
      const scenarios: Scenario[] = [];
      for (const neighbour of neighbours) {
        scenarios.push(
          await runScenario({ hub, stores, sink, badTenant, neighbour, measure, seconds: flags.seconds }),
        );
        console.log(`  ${neighbour.name}: done`);
      }
      const sections = reportSections(scenarios);
      console.log(`\n${sections.join("\n\n")}`);
      await publishResult({
        name: "neighbours-in",
        sections,
        data: scenarios,
        verdict: { bench: "neighbours-in", scenarios: verdictOf(scenarios) },
      });
    } finally {
      await sink.stop();
      await stores.close();
      await hub.stop();
    }
  },
});

async function createGoodEndpoints(hub: HubUnderTest, sink: TargetSink): Promise<LoadEndpoint[]> {
  const tenant = await createTenant(hub, "bench-good");
  const endpoints: LoadEndpoint[] = [];
  for (const path of [PLAIN, TRANSFORMED]) {
    const targetService = `bench${path.replace("/", "-")}`;
    await callHub(hub, tenant, {
      method: "PUT",
      path: `/api/v1/services/${targetService}`,
      body: { kind: "HTTP", url: sink.url(path) },
    });
    const transformTemplate = { engine: "jsonata", expression: GOOD_TRANSFORMATION };
    const settings = { targetService, ...(path === TRANSFORMED ? { transformTemplate } : {}) };
    for (let index = 0; index < 4; index++) {
      endpoints.push(await createEndpoint(hub, tenant, `${targetService}-${index}`, settings));
    }
  }
  return endpoints;
}

async function runScenario(options: {
  hub: HubUnderTest;
  stores: HubStores;
  sink: TargetSink;
  badTenant: Tenant;
  neighbour: BadNeighbour;
  measure: (seconds: number) => Promise<Phase>;
  seconds: number;
}): Promise<Scenario> {
  const { hub, neighbour, seconds, measure } = options;
  const { badTenant, sink } = options;
  const endpoints = await createNeighbourEndpoints(hub, badTenant, neighbour, sink.hangingUrl);
  console.log(`${neighbour.name}: ${neighbour.about}`);
  const alone = await measure(seconds);
  const sending = neighbour.send(hub, endpoints, seconds + HEAD_START_SECONDS);
  await Bun.sleep(HEAD_START_SECONDS * 1000);
  const together = await measure(seconds);
  const counts = await sending;
  await untilCalm(options.stores);
  const outcomes = await options.stores.outcomes(neighbour.name);
  return { neighbour, alone, together, counts, outcomes };
}

async function measurePhase(options: {
  hub: HubUnderTest;
  sink: TargetSink;
  endpoints: readonly LoadEndpoint[];
  ratePerSecond: number;
  seconds: number;
}): Promise<Phase> {
  const { hub, sink, endpoints, ratePerSecond, seconds } = options;
  sink.take(PLAIN);
  sink.take(TRANSFORMED);
  const report = await driveLoad({
    baseUrl: hub.baseUrl,
    endpoints,
    ratePerSecond,
    seconds,
    connections: 32,
    bodyBytes: 1024,
    timeoutMs: 10_000,
    processes: 1,
  });
  const arrived = (): number => sink.count(PLAIN) + sink.count(TRANSFORMED);
  const deadlineMs = Date.now() + ARRIVAL_TIMEOUT_MS;
  while (arrived() < report.answered2xx && Date.now() < deadlineMs) await Bun.sleep(50);
  const missing = report.answered2xx - arrived();
  return {
    accept: report.latency,
    plain: sink.take(PLAIN).latency,
    transformed: sink.take(TRANSFORMED).latency,
    sent: report.sent,
    missing,
    refused: report.sent - report.answered2xx,
  };
}

/** Waits for the streams to empty; what a neighbour leaves for later retries does not count. */
async function untilCalm(stores: HubStores): Promise<void> {
  const deadlineMs = Date.now() + CALM_TIMEOUT_MS;
  for (;;) {
    const { inStream } = await stores.books();
    if (inStream === 0) return;
    if (Date.now() > deadlineMs) {
      console.log(`  ${inStream} entries of the neighbour still wait; going on`);
      return;
    }
    await Bun.sleep(250);
  }
}

const MEASURES = [
  ["until the 200", "accept"],
  ["until the target", "plain"],
  ["transformed, until the target", "transformed"],
] as const;

function reportSections(scenarios: readonly Scenario[]): string[] {
  const rows = scenarios.flatMap(({ neighbour, alone, together }) =>
    MEASURES.map(([label, measure]): Cell[] => [
      neighbour.name,
      label,
      alone[measure].p50Ms,
      together[measure].p50Ms,
      alone[measure].p99Ms,
      together[measure].p99Ms,
      together[measure].p99Ms / alone[measure].p99Ms,
    ]),
  );
  const table = formatTable(
    ["neighbour", "good senders, ms", "p50 alone", "p50 beside", "p99 alone", "p99 beside", "p99 ratio"],
    rows,
  );
  const neighbours = scenarios.map(describeNeighbour).join("\n");
  const losses = scenarios
    .filter(({ together }) => together.missing + together.refused > 0)
    .map(
      ({ neighbour, together }) =>
        `${neighbour.name}: of ${together.sent} good requests ${together.refused} refused, ${together.missing} not routed in time.`,
    );
  return [
    neighbours,
    table,
    losses.length === 0 ? "Everything good was accepted and arrived." : losses.join("\n"),
  ];
}

function describeNeighbour({ neighbour, counts, outcomes }: Scenario): string {
  const became = Object.entries(outcomes).map(([status, count]) => `${count} ${status}`);
  return (
    `- ${neighbour.name}: ${neighbour.about}; ${counts.sent} sent, ${counts.accepted} accepted` +
    (became.length === 0 ? "" : `, became ${became.join(", ")}`)
  );
}

function verdictOf(scenarios: readonly Scenario[]): Record<string, unknown> {
  return Object.fromEntries(
    scenarios.map(({ neighbour, alone, together, counts }) => [
      neighbour.name,
      {
        ...Object.fromEntries(
          MEASURES.map(([, measure]) => [
            measure,
            {
              p99MsAlone: alone[measure].p99Ms,
              p99MsBeside: together[measure].p99Ms,
              ratio: rounded(together[measure].p99Ms / alone[measure].p99Ms, 2),
            },
          ]),
        ),
        neighbourAccepted: counts.accepted,
        refused: together.refused,
        missing: together.missing,
      },
    ]),
  );
}
