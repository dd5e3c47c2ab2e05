import { resolve } from "node:path";
import type { Quota } from "../src/domain/rate-limit/admission-call.ts";
import { newId } from "../src/platform/uuid.ts";
import { startTestRedis } from "../test/support/services.ts";
import { defineBenchmark } from "./support/benchmark.ts";
import { wholeNumber, wholeNumbers } from "./support/command-line.ts";
import { addLatencies, createLatencyHistogram, summarizeLatencies } from "./support/latency.ts";
import type { LimiterOutput, LimiterPlan } from "./support/limiter-caller.ts";
import { publishResult } from "./support/results.ts";
import { type Cell, formatTable, median, rounded } from "./support/table.ts";

const FLAGS = {
  integrations: wholeNumbers("integrations among which the calls are spread", {
    hint: "n",
    fallback: [1, 10, 1000],
    min: 1,
    max: 100_000,
  }),
  processes: wholeNumber("processes that call", { hint: "n", fallback: 4, min: 1, max: 64 }),
  "in-flight": wholeNumber("calls of each process at once", { hint: "n", fallback: 16, min: 1, max: 1000 }),
  rounds: wholeNumber("times that all is gone through; the median counts", {
    hint: "n",
    fallback: 5,
    min: 1,
    max: 20,
  }),
  seconds: wholeNumber("length of one run", { hint: "n", fallback: 5, min: 1, max: 120 }),
};

const START_MS = 2_000;
const CALLER = resolve(import.meta.dir, "support/limiter-caller.ts");

const quota = (name: string, limit: number, windowMs: number): Quota => ({
  name,
  limit,
  windowMs,
  weight: 1,
  scope: "integration",
});

/** Three quotas that never bind: what admission costs by itself. */
const WIDE = [
  quota("second", 1000, 1),
  quota("minute", 1_000_000, 60_000),
  quota("hour", 100_000_000, 3_600_000),
];

/** Quotas that bind, one integration each. */
const NARROW: readonly Quota[] = [
  quota("10/s", 10, 1000),
  quota("100/s", 100, 1000),
  quota("1,000/s", 1000, 1000),
  quota("2,000/s in sub-windows", 2000, 1000),
];

interface RateRun {
  integrations: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** CPU of the calling processes for one call. */
  cpuMicros: number;
}

interface AccuracyRun {
  name: string;
  limit: number;
  windowMs: number;
  /** Fullest window as a share of the limit; above 1 is a violation. */
  fullest: number;
  /** Admissions as a share of what a perfect limiter lets go. */
  used: number;
}

/** What the one script that admits calls costs, and how exactly it keeps limits. */
export const limiterBenchmark = defineBenchmark({
  name: "limiter",
  summary: "calls out: accuracy and rate of the admission script with 4 processes",
  about: [
    "Starts a Redis with the hub's settings (appendfsync always) and processes that admit and end calls, nothing else:",
    "two scripts a call. Rate: three quotas that never bind, calls spread over 1, 10 and 1,000 integrations. Accuracy:",
    "quotas that bind, with more load than they allow; every window of the admission times is looked at.",
    "Quick look: --rounds 1 --seconds 2",
  ].join("\n"),
  flags: FLAGS,
  async run(flags) {
    const redis = await startTestRedis({ cluster: false });
    try {
      const rates: RateRun[] = [];
      const accuracies: AccuracyRun[] = [];
      const load = { redisUrl: redis.url, processes: flags.processes, seconds: flags.seconds };
      for (let round = 1; round <= flags.rounds; round++) {
        for (const integrations of flags.integrations) {
          const run = await measureRate({ ...load, integrations, inFlight: flags["in-flight"] });
          console.log(`  round ${round}  ${integrations} integrations  ${Math.round(run.perSecond)} calls/s`);
          rates.push(run);
        }
        for (const narrow of NARROW) {
          const run = await measureAccuracy({ ...load, narrow, inFlight: flags["in-flight"] });
          console.log(
            `  round ${round}  ${narrow.name}  fullest ${run.fullest.toFixed(3)}  used ${run.used.toFixed(3)}`,
          );
          accuracies.push(run);
        }
      }
      const sections = reportSections(rates, accuracies);
      console.log(`\n${sections.join("\n\n")}`);
      await publishResult({
        name: "limiter",
        sections,
        data: { rates, accuracies },
        verdict: verdictOf(rates, accuracies),
      });
    } finally {
      await redis.stop();
    }
  },
});

interface Load {
  redisUrl: string;
  processes: number;
  seconds: number;
  inFlight: number;
}

async function measureRate(load: Load & { integrations: number }): Promise<RateRun> {
  const integrationIds = Array.from({ length: load.integrations }, () => newId());
  const outputs = await runCallers(load, integrationIds, WIDE);
  const histogram = createLatencyHistogram();
  for (const { latencies } of outputs) addLatencies(histogram, latencies);
  const { p50Ms, p99Ms } = summarizeLatencies(histogram);
  const admitted = sum(outputs, (output) => output.admitted);
  const refused = sum(outputs, (output) => output.refused);
  if (refused > 0) throw new Error(`${refused} calls were refused by quotas that should not bind`);
  return {
    integrations: load.integrations,
    perSecond: admitted / load.seconds,
    p50Ms,
    p99Ms,
    cpuMicros: sum(outputs, (output) => output.cpuMicros) / admitted,
  };
}

async function measureAccuracy(load: Load & { narrow: Quota }): Promise<AccuracyRun> {
  const { name, limit, windowMs } = load.narrow;
  const outputs = await runCallers(load, [newId()], [{ ...load.narrow, name: "calls" }]);
  const all = outputs.flatMap(({ admittedAtMs }) => admittedAtMs).sort((a, b) => a - b);
  // What still waited at the end goes a little later.
  const times = all.filter((time) => time < all[0]! + load.seconds * 1000);
  const possible = limit * Math.ceil((load.seconds * 1000) / windowMs);
  return {
    name,
    limit,
    windowMs,
    fullest: fullestWindow(times, windowMs) / limit,
    used: times.length / possible,
  };
}

/** Most admissions in any window, closed at its beginning and open at its end; `times` ascend. */
function fullestWindow(times: readonly number[], windowMs: number): number {
  let first = 0;
  let most = 0;
  for (let last = 0; last < times.length; last++) {
    while (times[last]! - times[first]! >= windowMs) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

function runCallers(load: Load, integrationIds: string[], quotas: Quota[]): Promise<LimiterOutput[]> {
  const plan: LimiterPlan = {
    redisUrl: load.redisUrl,
    integrationIds,
    quotas,
    inFlight: load.inFlight,
    startAtMs: Date.now() + START_MS,
    durationMs: load.seconds * 1000,
  };
  const children = Array.from({ length: load.processes }, () =>
    Bun.spawn([process.execPath, CALLER, JSON.stringify(plan)], { stdio: ["ignore", "pipe", "inherit"] }),
  );
  return Promise.all(
    children.map(async (child) => {
      const output = await new Response(child.stdout).text();
      if ((await child.exited) !== 0) throw new Error(`A caller ended with ${child.exitCode}`);
      return JSON.parse(output) as LimiterOutput;
    }),
  );
}

function sum<T>(items: readonly T[], pick: (item: T) => number): number {
  return items.reduce((total, item) => total + pick(item), 0);
}

function reportSections(rates: readonly RateRun[], accuracies: readonly AccuracyRun[]): string[] {
  const rateRows = [...Map.groupBy(rates, ({ integrations }) => integrations)].map(
    ([integrations, runs]): Cell[] => [
      integrations,
      median(runs.map(({ perSecond }) => perSecond)),
      median(runs.map(({ p50Ms }) => p50Ms)),
      median(runs.map(({ p99Ms }) => p99Ms)),
      median(runs.map(({ cpuMicros }) => cpuMicros)),
    ],
  );
  const accuracyRows = [...Map.groupBy(accuracies, ({ name }) => name)].map(([name, runs]): Cell[] => [
    name,
    Math.max(...runs.map(({ fullest }) => fullest)),
    median(runs.map(({ used }) => used)),
    Math.min(...runs.map(({ used }) => used)),
  ]);
  return [
    "Rate: three quotas that do not bind; a call is its admission and its end. Latency is that of the admission, under " +
      "full load of a closed loop.",
    formatTable(["integrations", "calls/s", "p50 ms", "p99 ms", "callers' CPU µs a call"], rateRows),
    "Accuracy: the fullest window of all runs as a share of the limit (above 1 would be a violation), and what was used " +
      "of what a limiter without any slack lets go.",
    formatTable(["quota", "fullest", "used, median", "used, worst"], accuracyRows),
  ];
}

function verdictOf(rates: readonly RateRun[], accuracies: readonly AccuracyRun[]): Record<string, unknown> {
  return {
    bench: "limiter",
    callsPerSecond: Object.fromEntries(
      [...Map.groupBy(rates, ({ integrations }) => integrations)].map(([integrations, runs]) => [
        integrations,
        Math.round(median(runs.map(({ perSecond }) => perSecond))),
      ]),
    ),
    neverOver: accuracies.every(({ fullest }) => fullest <= 1),
    usedWorst: rounded(Math.min(...accuracies.map(({ used }) => used)), 3),
  };
}
