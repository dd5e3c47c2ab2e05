import { type AcceptRun, type ContenderSummary, medianRatio, summarizeRuns } from "./accept-rounds.ts";
import type { LoadReport } from "./drive-load.ts";
import type { SteadyRun } from "./sustained-rate.ts";
import { type Cell, formatTable, rounded } from "./table.ts";

/** Names of the contenders, as the tables show them. */
export const HUB = "hub";
export const HUB_ONE_ENDPOINT = "hub, one endpoint";
export const HUB_WORKERS_STOPPED = "hub, workers stopped";
export const BARE = "bare Bun.serve";
export const BULLMQ = "Fastify + BullMQ";

const CONTENDERS = [HUB, HUB_ONE_ENDPOINT, HUB_WORKERS_STOPPED, BARE, BULLMQ];
const CPU_GROUPS = ["edge", "redis", "worker", "postgres", "other", "generator"];

/** An open-loop run at half the rate, by number of connections. */
export interface OpenLoopRun {
  connections: number;
  ratePerSecond: number;
  report: LoadReport;
  stored: number;
  voidBecause: string | undefined;
}

export interface AcceptResult {
  connections: readonly number[];
  runs: readonly AcceptRun[];
  openLoop: readonly OpenLoopRun[];
  sustained: { held: SteadyRun | undefined; runs: readonly SteadyRun[] } | undefined;
  settings: Readonly<Record<string, string>>;
}

/** Sections of the report: settings, rates, latency, sustained rate, and where the CPU time went. */
export function acceptSections(result: AcceptResult): string[] {
  const settings = Object.entries(result.settings).map(([name, value]) => `${name} ${value}`);
  const voided = result.runs.filter((run) => run.voidBecause !== undefined);
  return [
    `Settings as the servers report them: ${settings.join("; ")}.`,
    ratesTable(result),
    openLoopTable(result.openLoop),
    ...(result.sustained === undefined ? [] : [sustainedText(result)]),
    `CPU time for one accepted request, µs:\n\n${cpuTable(result)}`,
    voided.length === 0
      ? "Every run counts: distinct ids = 2xx = growth of streams and receipts."
      : `Void runs, left out: ${voided.map((run) => `${run.contender} at ${run.connections}, round ${run.round}: ${run.voidBecause}`).join("; ")}.`,
  ];
}

function summariesOf(
  result: AcceptResult,
): { contender: string; connections: number; summary: ContenderSummary }[] {
  return result.connections.flatMap((connections) =>
    CONTENDERS.flatMap((contender) => {
      const summary = summarizeRuns(result.runs, contender, connections);
      return summary === undefined ? [] : [{ contender, connections, summary }];
    }),
  );
}

function ratesTable(result: AcceptResult): string {
  const rows = summariesOf(result).map(({ contender, connections, summary }): Cell[] => [
    contender,
    connections,
    summary.ratePerSecond,
    summary.p99Micros / 1000,
    ratioCell(result, contender, BARE, connections),
    ratioCell(result, contender, BULLMQ, connections),
    summary.validRuns,
  ]);
  return formatTable(
    ["closed loop, wrk", "connections", "accepts/s", "p99 ms", "of bare", "of BullMQ", "rounds"],
    rows,
  );
}

function ratioCell(result: AcceptResult, contender: string, peer: string, connections: number): Cell {
  return contender === peer ? undefined : medianRatio(result.runs, [contender, peer], connections);
}

function openLoopTable(runs: readonly OpenLoopRun[]): string {
  return formatTable(
    [
      "open loop at half the rate",
      "connections",
      "sent/s",
      "p50 ms",
      "p99 ms",
      "p99.9 ms",
      "max ms",
      "late p99 ms",
    ],
    runs.map(({ connections, ratePerSecond, report, voidBecause }) => [
      voidBecause === undefined ? HUB : `${HUB}, VOID: ${voidBecause}`,
      connections,
      ratePerSecond,
      report.latency.p50Ms,
      report.latency.p99Ms,
      report.latency.p999Ms,
      report.latency.maxMs,
      report.lateness.p99Ms,
    ]),
  );
}

function sustainedText(result: AcceptResult): string {
  const rows = result.sustained!.runs.map((run): Cell[] => [
    run.held ? "keeps up" : "falls behind",
    run.ratePerSecond,
    run.seconds,
    run.endedPerSecond,
    run.backlogPerSecond,
    run.depthAtEnd,
    run.report.latency.p99Ms,
  ]);
  const table = formatTable(
    [
      "accept → worker → Postgres",
      "rate/s",
      "seconds",
      "processed/s",
      "backlog/s",
      "waiting at end",
      "p99 ms",
    ],
    rows,
  );
  const { held } = result.sustained!;
  const verdict =
    held === undefined
      ? "No rate held."
      : `Sustained: ${held.ratePerSecond} a second for ${held.seconds} s, ` +
        `${sustainedShare(result)?.toFixed(2) ?? "–"} of the accept rate.`;
  return `${table}\n\n${verdict}`;
}

function cpuTable(result: AcceptResult): string {
  const rows = summariesOf(result).map(({ contender, connections, summary }): Cell[] => [
    `${contender}, ${connections}`,
    ...CPU_GROUPS.map((group) => cpuCell(summary.cpuMicrosPerAccept[group])),
  ]);
  const held = result.sustained?.held;
  if (held !== undefined) {
    rows.push(["sustained", ...CPU_GROUPS.map((group) => cpuCell(held.cpuMicrosPerAccept[group]))]);
  }
  return formatTable(["run, connections", ...CPU_GROUPS], rows);
}

function cpuCell(micros: number | undefined): Cell {
  return micros === undefined ? "–" : micros.toFixed(1);
}

/** The most connections stand for the whole: their rate is the one that `sustained` is a share of. */
function mainConnections(result: AcceptResult): number {
  return Math.max(...result.connections);
}

function sustainedShare(result: AcceptResult): number | undefined {
  const rate = summarizeRuns(result.runs, HUB, mainConnections(result))?.ratePerSecond;
  const held = result.sustained?.held;
  return held === undefined || rate === undefined ? undefined : held.ratePerSecond / rate;
}

/** The last line: top-level values are those of the most connections; null: not measured, or no run counts. */
export function acceptVerdict(result: AcceptResult): Record<string, unknown> {
  const main = mainConnections(result);
  return {
    bench: "accept",
    ...figuresOf(result, HUB, main),
    sustained: roundedOrNull(sustainedShare(result), 3),
    sustainedRate: result.sustained?.held?.ratePerSecond ?? null,
    connections: Object.fromEntries(
      result.connections.map((connections) => [
        connections,
        {
          ...figuresOf(result, HUB, connections),
          oneEndpoint: figuresOf(result, HUB_ONE_ENDPOINT, connections),
          workersStopped: figuresOf(result, HUB_WORKERS_STOPPED, connections),
        },
      ]),
    ),
    void:
      result.runs.filter((run) => run.voidBecause !== undefined).length +
      result.openLoop.filter((run) => run.voidBecause !== undefined).length,
  };
}

function figuresOf(result: AcceptResult, contender: string, connections: number): Record<string, unknown> {
  const summary = summarizeRuns(result.runs, contender, connections);
  const open = result.openLoop.find(
    (run) => run.connections === connections && run.voidBecause === undefined,
  );
  return {
    rate: roundedOrNull(summary?.ratePerSecond, 0),
    ...(contender === HUB ? { p99Ms: open?.report.latency.p99Ms ?? null } : {}),
    ratio: {
      bare: roundedOrNull(medianRatio(result.runs, [contender, BARE], connections), 3),
      bullmq: roundedOrNull(medianRatio(result.runs, [contender, BULLMQ], connections), 2),
    },
  };
}

function roundedOrNull(value: number | undefined, places: number): number | null {
  return value === undefined || !Number.isFinite(value) ? null : rounded(value, places);
}
