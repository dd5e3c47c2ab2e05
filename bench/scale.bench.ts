import { cpus, tmpdir } from "node:os";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { hubContender, settleHub } from "./support/accept-contenders.ts";
import { type AcceptRun, runRounds } from "./support/accept-rounds.ts";
import { defineBenchmark } from "./support/benchmark.ts";
import { wholeNumber, wholeNumbers } from "./support/command-line.ts";
import { type Drain, fillBacklog, holdWorkers, measureDrain } from "./support/held-workers.ts";
import { openStores } from "./support/hub-stores.ts";
import { createSenders, hubProcesses, readServices, startHub } from "./support/hub-under-test.ts";
import { CpuMeter } from "./support/process-cpu.ts";
import { publishResult } from "./support/results.ts";
import { type Cell, formatTable, median, rounded } from "./support/table.ts";
import { prepareRequests, provideWrk, type WrkProgram } from "./support/wrk.ts";

const FLAGS = {
  processes: wholeNumbers("EDGE_PROCESSES and WORKER_PROCESSES, in turn", {
    hint: "n",
    fallback: [1, 2, 4],
    min: 1,
    max: 64,
  }),
  rounds: wholeNumber("times that all are gone through; the median counts", {
    hint: "n",
    fallback: 3,
    min: 1,
    max: 20,
  }),
  seconds: wholeNumber("length of each closed-loop run", { hint: "n", fallback: 5, min: 1, max: 60 }),
  connections: wholeNumber("connections of the closed loop", {
    hint: "n",
    fallback: 256,
    min: 1,
    max: 4096,
  }),
  backlog: wholeNumber("webhooks that the workers empty the streams of", {
    hint: "n",
    fallback: 100_000,
    min: 1000,
    max: 5_000_000,
  }),
};

const BODY_BYTES = 1024;

/** One number of processes in one round. */
interface ScaleRun {
  processes: number;
  round: number;
  accept: AcceptRun;
  drain: Drain;
  /** Cores that all processes of the hub kept busy while the workers emptied the streams. */
  drainCores: number;
  voidBecause: string | undefined;
}

/** What more processes on one machine bring. */
export const scaleBenchmark = defineBenchmark({
  name: "scale",
  summary: "accept and drain rate with 1, 2 and 4 edge and worker processes",
  about: [
    "Starts a hub by its own `start` anew for each number of processes. Accept rate: wrk, closed loop, workers held.",
    "Drain rate: workers alone on a backlog, nothing being sent. Beside each rate stands how many cores were busy: on a",
    "machine whose cores are all busy more processes cannot bring more, they only show what they cost. A run counts only",
    "when distinct ids = 2xx = growth of the streams = receipts. Quick look: --rounds 1 --seconds 2 --backlog 10000",
  ].join("\n"),
  flags: FLAGS,
  async run(flags) {
    const program = await provideWrk();
    const files = await mkdtemp(join(tmpdir(), "hub-bench-scale-"));
    try {
      const runs: ScaleRun[] = [];
      for (let round = 1; round <= flags.rounds; round++) {
        for (const processes of flags.processes) {
          runs.push(await measureProcesses({ ...flags, program, files, processes, round }));
        }
      }
      const sections = reportSections(flags.processes, runs);
      console.log(`\n${sections.join("\n\n")}`);
      await publishResult({
        name: "scale",
        sections,
        data: runs,
        verdict: verdictOf(flags.processes, runs),
      });
    } finally {
      await rm(files, { recursive: true, force: true });
    }
  },
});

async function measureProcesses(plan: {
  program: WrkProgram;
  files: string;
  processes: number;
  round: number;
  seconds: number;
  connections: number;
  backlog: number;
}): Promise<ScaleRun> {
  const { processes, round } = plan;
  console.log(`${processes} edge and ${processes} worker processes, round ${round}`);
  const hub = await startHub({ EDGE_PROCESSES: String(processes), WORKER_PROCESSES: String(processes) });
  const stores = openStores(readServices(hub));
  try {
    const endpoints = await createSenders(hub);
    const requestsFile = join(plan.files, "requests");
    await prepareRequests(endpoints, new URL(hub.baseUrl).host, BODY_BYTES, requestsFile);
    const [accept] = await runRounds({
      program: plan.program,
      contenders: [
        hubContender(hub, stores, { name: `${processes} processes`, requestsFile, workersStopped: true }),
      ],
      connections: [plan.connections],
      rounds: 1,
      firstRound: round,
      seconds: plan.seconds,
    });
    const before = await stores.books();
    holdWorkers(hub, true);
    await fillBacklog(hub, endpoints, plan.backlog, BODY_BYTES);
    const meter = new CpuMeter(hubProcesses(hub));
    const startedMs = performance.now();
    const drain = await measureDrain(hub, stores);
    const busyMicros = Object.values(meter.read()).reduce((sum, micros) => sum + micros, 0);
    const drainCores = busyMicros / 1000 / (performance.now() - startedMs);
    const settled = await settleHub(stores, before);
    const fault =
      settled.stored === plan.backlog ? settled.fault : `${settled.stored} of ${plan.backlog} stored`;
    const run = { processes, round, accept: accept!, drain, drainCores };
    console.log(`  ${Math.round(drain.perSecond).toLocaleString("en-US")}/s drained`);
    return { ...run, voidBecause: accept!.voidBecause ?? fault };
  } finally {
    await stores.close();
    await hub.stop();
  }
}

interface ScaleSummary {
  rate: number;
  p99Ms: number;
  acceptCores: number;
  edgeMicros: number;
  drainPerSecond: number;
  drainCores: number;
  runs: number;
}

function summarize(runs: readonly ScaleRun[], processes: number): ScaleSummary | undefined {
  const valid = runs.filter((run) => run.processes === processes && run.voidBecause === undefined);
  if (valid.length === 0) return undefined;
  const middle = (pick: (run: ScaleRun) => number): number => median(valid.map(pick));
  return {
    rate: middle(({ accept }) => accept.report.ratePerSecond),
    p99Ms: middle(({ accept }) => accept.report.p99Micros / 1000),
    acceptCores: middle(({ accept }) => coresOf(accept)),
    edgeMicros: middle(({ accept }) => accept.cpuMicrosPerAccept["edge"] ?? 0),
    drainPerSecond: middle(({ drain }) => drain.perSecond),
    drainCores: middle(({ drainCores }) => drainCores),
    runs: valid.length,
  };
}

/** Cores that a run kept busy, the generator included. */
function coresOf({ cpuMicrosPerAccept, report }: AcceptRun): number {
  const microsPerAccept = Object.values(cpuMicrosPerAccept).reduce((sum, micros) => sum + micros, 0);
  return (microsPerAccept * report.ratePerSecond) / 1e6;
}

function reportSections(counts: readonly number[], runs: readonly ScaleRun[]): string[] {
  const first = summarize(runs, counts[0]!);
  const rows = counts.map((processes): Cell[] => {
    const summary = summarize(runs, processes);
    return [
      processes,
      summary?.rate,
      summary && first && summary.rate / first.rate,
      summary?.p99Ms,
      summary?.edgeMicros,
      summary?.acceptCores,
      summary?.drainPerSecond,
      summary && first && summary.drainPerSecond / first.drainPerSecond,
      summary?.drainCores,
      summary?.runs,
    ];
  });
  const columns = ["processes", "accepts/s", "of first", "p99 ms", "edge µs each", "cores busy"];
  const voided = runs.filter((run) => run.voidBecause !== undefined);
  return [
    formatTable([...columns, "drained/s", "of first", "cores busy", "rounds"], rows),
    `This machine has ${cpus().length} cores, which the generator, Redis and Postgres share with the hub's processes. ` +
      "A rate whose cores are all busy is bounded by the machine and not by the number of processes.",
    voided.length === 0
      ? "Every run counts: distinct ids = 2xx = growth of the streams = receipts."
      : `Void runs, left out: ${voided.map((run) => `${run.processes} processes, round ${run.round}: ${run.voidBecause}`).join("; ")}.`,
  ];
}

function verdictOf(counts: readonly number[], runs: readonly ScaleRun[]): Record<string, unknown> {
  const first = summarize(runs, counts[0]!);
  return {
    bench: "scale",
    cores: cpus().length,
    processes: Object.fromEntries(
      counts.map((processes) => {
        const summary = summarize(runs, processes);
        return [
          processes,
          summary === undefined || first === undefined
            ? null
            : {
                rate: Math.round(summary.rate),
                rateRatio: rounded(summary.rate / first.rate, 2),
                p99Ms: rounded(summary.p99Ms, 2),
                acceptCores: rounded(summary.acceptCores, 2),
                drainPerSecond: Math.round(summary.drainPerSecond),
                drainRatio: rounded(summary.drainPerSecond / first.drainPerSecond, 2),
                drainCores: rounded(summary.drainCores, 2),
              },
        ];
      }),
    ),
    void: runs.filter((run) => run.voidBecause !== undefined).length,
  };
}
