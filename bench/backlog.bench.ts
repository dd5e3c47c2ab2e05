import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { settleHub } from "./support/accept-contenders.ts";
import { defineBenchmark } from "./support/benchmark.ts";
import { wholeNumber, wholeNumbers } from "./support/command-line.ts";
import { type Drain, fillBacklog, holdWorkers, measureDrain } from "./support/held-workers.ts";
import { type HubStores, openStores } from "./support/hub-stores.ts";
import {
  createSenders,
  hubProcesses,
  type HubUnderTest,
  readServices,
  startHub,
} from "./support/hub-under-test.ts";
import type { LoadEndpoint } from "./support/load-endpoint.ts";
import { residentBytesOf } from "./support/process-cpu.ts";
import { publishResult } from "./support/results.ts";
import { type Cell, formatTable, median, rounded } from "./support/table.ts";
import { prepareRequests, provideWrk, runWrk, type WrkProgram, type WrkReport } from "./support/wrk.ts";

const FLAGS = {
  levels: wholeNumbers("webhooks that wait before each measurement", {
    hint: "n",
    fallback: [1000, 100_000, 1_000_000],
    min: 100,
    max: 10_000_000,
  }),
  rounds: wholeNumber("times that all levels are gone through; the median counts", {
    hint: "n",
    fallback: 3,
    min: 1,
    max: 20,
  }),
  seconds: wholeNumber("length of the closed-loop run on each backlog", {
    hint: "n",
    fallback: 2,
    min: 1,
    max: 30,
  }),
  connections: wholeNumber("connections of the closed loop", { hint: "n", fallback: 64, min: 1, max: 1024 }),
  "body-bytes": wholeNumber("size of a body", { hint: "n", fallback: 1024, min: 256, max: 65_536 }),
};

/** One level in one round. */
interface LevelRun {
  level: number;
  round: number;
  /** Redis' dataset for one waiting webhook: its entry, and the event id that is remembered. */
  bytesPerReceipt: number;
  edgeResidentBytes: number;
  accept: WrkReport;
  waitingAfter: number;
  drain: Drain;
  /** Why the run does not count; undefined when it does. */
  voidBecause: string | undefined;
}

/** DESIGN, section 10: rate and memory stay flat however much waits. */
export const backlogBenchmark = defineBenchmark({
  name: "backlog",
  summary: "accept rate, memory and drain rate with 1 k to 1 M webhooks waiting",
  about: [
    "Starts a hub by its own `start` with defaults, holds its workers (SIGSTOP) and lets webhooks of 1 KB pile up.",
    "With so many waiting: Redis' memory for each, and the rate at which more are accepted (wrk, closed loop). Then the",
    "workers go on, and the rate at which they empty the streams is taken. A run counts only when distinct ids = 2xx =",
    "growth of the streams = receipts. Quick look: --levels 1000,10000 --rounds 1 --seconds 1",
  ].join("\n"),
  flags: FLAGS,
  async run(flags) {
    const program = await provideWrk();
    const files = await mkdtemp(join(tmpdir(), "hub-bench-backlog-"));
    console.log("Starting the hub");
    const hub = await startHub();
    const stores = openStores(readServices(hub));
    try {
      const settings = await stores.settings();
      const endpoints = await createSenders(hub);
      const requestsFile = join(files, "requests");
      await prepareRequests(endpoints, new URL(hub.baseUrl).host, flags["body-bytes"], requestsFile);
      const measure = (level: number, round: number): Promise<LevelRun> =>
        measureLevel({ hub, stores, endpoints, program, requestsFile, level, round, ...flags });
      // Compiles what is hot and fills the caches.
      await measure(flags.levels[0]!, 0);
      const runs: LevelRun[] = [];
      for (let round = 1; round <= flags.rounds; round++) {
        for (const level of flags.levels) {
          const run = await measure(level, round);
          console.log(describeRun(run));
          runs.push(run);
        }
      }
      const sections = reportSections(flags.levels, runs, settings);
      console.log(`\n${sections.slice(1).join("\n\n")}`);
      await publishResult({
        name: "backlog",
        sections,
        data: { runs, settings },
        verdict: verdictOf(flags.levels, runs),
      });
    } finally {
      await stores.close();
      await hub.stop();
      await rm(files, { recursive: true, force: true });
    }
  },
});

interface LevelPlan {
  hub: HubUnderTest;
  stores: HubStores;
  endpoints: readonly LoadEndpoint[];
  program: WrkProgram;
  requestsFile: string;
  level: number;
  round: number;
  seconds: number;
  connections: number;
  "body-bytes": number;
}

async function measureLevel(plan: LevelPlan): Promise<LevelRun> {
  const { hub, stores, level, connections } = plan;
  const [before, bytesBefore] = await Promise.all([stores.books(), datasetBytes(stores)]);
  holdWorkers(hub, true);
  await fillBacklog(hub, plan.endpoints, level, plan["body-bytes"]);
  const [filled, bytesFilled] = await Promise.all([stores.books(), datasetBytes(stores)]);
  const accept = await runWrk({
    program: plan.program,
    baseUrl: hub.baseUrl,
    requestsFile: plan.requestsFile,
    connections,
    seconds: plan.seconds,
  });
  const edgeResidentBytes = Math.max(...(hubProcesses(hub)["edge"] ?? []).map(residentBytesOf));
  const after = await stores.books();
  const drain = await measureDrain(hub, stores);
  const settled = await settleHub(stores, before);
  const grown = after.inStream - filled.inStream;
  return {
    level,
    round: plan.round,
    bytesPerReceipt: (bytesFilled - bytesBefore) / level,
    edgeResidentBytes,
    accept,
    waitingAfter: after.inStream,
    drain,
    voidBecause:
      settled.fault ?? whyVoid(accept, connections, filled.inStream - before.inStream, level, grown),
  };
}

/** wrk cuts off what is under way at its end, at most one request a connection; see accept-rounds. */
function whyVoid(
  accept: WrkReport,
  connections: number,
  filled: number,
  level: number,
  grown: number,
): string | undefined {
  if (filled !== level) return `${level} sent, ${filled} in the streams`;
  if (accept.not2xx + accept.socketErrors + accept.timeouts > 0)
    return `${accept.not2xx} answers were not 2xx, ${accept.socketErrors + accept.timeouts} errors`;
  if (grown < accept.answered2xx || grown > accept.answered2xx + connections)
    return `${accept.answered2xx} answered with 2xx, streams grew by ${grown}`;
  return undefined;
}

/** What Redis holds, without its own buffers and the clients'. */
async function datasetBytes(stores: HubStores): Promise<number> {
  const info = await stores.redis.info("memory");
  return Number(/used_memory_dataset:(\d+)/.exec(info)?.[1] ?? Number.NaN);
}

function describeRun(run: LevelRun): string {
  const count = (value: number): string => Math.round(value).toLocaleString("en-US");
  return (
    `  round ${run.round}  ${count(run.level).padStart(10)} waiting  ${count(run.accept.ratePerSecond).padStart(8)}/s accepted  ` +
    `${count(run.bytesPerReceipt)} bytes each  ${count(run.drain.perSecond)}/s drained` +
    (run.voidBecause === undefined ? "" : `  VOID: ${run.voidBecause}`)
  );
}

const MIB = 1024 * 1024;

interface LevelSummary {
  rate: number;
  p99Ms: number;
  bytesPerReceipt: number;
  drainPerSecond: number;
  waitingAfter: number;
  edgeMiB: number;
  runs: number;
}

function summarize(runs: readonly LevelRun[], level: number): LevelSummary | undefined {
  const valid = runs.filter((run) => run.level === level && run.voidBecause === undefined);
  if (valid.length === 0) return undefined;
  const middle = (pick: (run: LevelRun) => number): number => median(valid.map(pick));
  return {
    rate: middle((run) => run.accept.ratePerSecond),
    p99Ms: middle((run) => run.accept.p99Micros / 1000),
    bytesPerReceipt: middle((run) => run.bytesPerReceipt),
    drainPerSecond: middle((run) => run.drain.perSecond),
    waitingAfter: middle((run) => run.waitingAfter),
    edgeMiB: middle((run) => run.edgeResidentBytes / MIB),
    runs: valid.length,
  };
}

function reportSections(
  levels: readonly number[],
  runs: readonly LevelRun[],
  settings: Readonly<Record<string, string>>,
): string[] {
  const first = summarize(runs, levels[0]!);
  const rows = levels.map((level): Cell[] => {
    const summary = summarize(runs, level);
    return [
      level,
      summary?.waitingAfter,
      summary?.rate,
      summary?.p99Ms,
      summary && first && summary.rate / first.rate,
      summary?.bytesPerReceipt,
      summary && first && summary.bytesPerReceipt / first.bytesPerReceipt,
      summary?.drainPerSecond,
      summary && first && summary.drainPerSecond / first.drainPerSecond,
      summary?.edgeMiB,
      summary?.runs,
    ];
  });
  const columns = [
    "waiting before",
    "after",
    "accepts/s",
    "p99 ms",
    "of first",
    "Redis bytes each",
    "of first",
  ];
  const voided = runs.filter((run) => run.voidBecause !== undefined);
  return [
    `Settings as the servers report them: ${Object.entries(settings)
      .map(([name, value]) => `${name} ${value}`)
      .join("; ")}.`,
    formatTable([...columns, "drained/s", "of first", "edge MiB", "rounds"], rows),
    "The accept run itself adds to what waits (column after), and the workers drain both; Redis' bytes are those of the " +
      "entry and of the event id that stays remembered.",
    voided.length === 0
      ? "Every run counts: distinct ids = 2xx = growth of the streams = receipts."
      : `Void runs, left out: ${voided.map((run) => `${run.level}, round ${run.round}: ${run.voidBecause}`).join("; ")}.`,
  ];
}

function verdictOf(levels: readonly number[], runs: readonly LevelRun[]): Record<string, unknown> {
  const summaries = levels.map((level) => [level, summarize(runs, level)] as const);
  const first = summaries[0]?.[1];
  const worst = (pick: (summary: LevelSummary) => number): number | null => {
    if (first === undefined) return null;
    const shares = summaries.flatMap(([, summary]) => (summary ? [pick(summary) / pick(first)] : []));
    return rounded(Math.max(...shares.map((share) => Math.abs(share - 1))), 3);
  };
  return {
    bench: "backlog",
    levels: Object.fromEntries(
      summaries.map(([level, summary]) => [
        level,
        summary === undefined
          ? null
          : {
              rate: Math.round(summary.rate),
              p99Ms: rounded(summary.p99Ms, 2),
              bytesPerReceipt: Math.round(summary.bytesPerReceipt),
              drainPerSecond: Math.round(summary.drainPerSecond),
            },
      ]),
    ),
    /** Largest departure from the first level, as a share of it. */
    departure: {
      rate: worst(({ rate }) => rate),
      bytesPerReceipt: worst(({ bytesPerReceipt }) => bytesPerReceipt),
      drain: worst(({ drainPerSecond }) => drainPerSecond),
    },
    void: runs.filter((run) => run.voidBecause !== undefined).length,
  };
}
