import type { Contender } from "./accept-contenders.ts";
import { CpuMeter } from "./process-cpu.ts";
import { median } from "./table.ts";
import { runWrk, type WrkProgram, type WrkReport } from "./wrk.ts";

/** One contender's run in one round. */
export interface AcceptRun {
  contender: string;
  connections: number;
  round: number;
  report: WrkReport;
  /** CPU time of each group of processes for one accepted request, in microseconds; `generator` is wrk. */
  cpuMicrosPerAccept: Record<string, number>;
  /** Events really stored; undefined for a peer that stores nothing. */
  stored: number | undefined;
  /** Why the run does not count; undefined when it does. */
  voidBecause: string | undefined;
}

export interface RoundsPlan {
  program: WrkProgram;
  contenders: readonly Contender[];
  connections: readonly number[];
  rounds: number;
  /** Number of the first round: a contender's rounds are compared by number, so they differ between calls. */
  firstRound: number;
  seconds: number;
}

/** Lets the compiler and the caches of every contender settle before anything is counted. */
const WARM_UP_SECONDS = 2;

/** wrk composes one request to try the script, and one for each connection is cut off at the end. */
const ISSUED_BEYOND_CONNECTIONS = 2;

/**
 * Runs all contenders in turn, the order shifted by one each round, so that none always follows the same one.
 */
export async function runRounds(plan: RoundsPlan): Promise<AcceptRun[]> {
  for (const contender of plan.contenders) {
    await runOnce(plan, contender, plan.connections[0]!, 0, WARM_UP_SECONDS);
  }
  const runs: AcceptRun[] = [];
  for (let round = plan.firstRound; round < plan.firstRound + plan.rounds; round++) {
    for (const connections of plan.connections) {
      for (let turn = 0; turn < plan.contenders.length; turn++) {
        const contender = plan.contenders[(turn + round) % plan.contenders.length]!;
        const run = await runOnce(plan, contender, connections, round, plan.seconds);
        runs.push(run);
        console.log(describeRun(run));
      }
    }
  }
  return runs;
}

async function runOnce(
  plan: RoundsPlan,
  contender: Contender,
  connections: number,
  round: number,
  seconds: number,
): Promise<AcceptRun> {
  await contender.prepare();
  const meter = new CpuMeter(contender.processes());
  const report = await runWrk({
    program: plan.program,
    baseUrl: contender.baseUrl,
    requestsFile: contender.requestsFile,
    connections,
    seconds,
  });
  const cpu = { ...meter.read(), generator: report.cpuMicros };
  const settled = await contender.settle();
  return {
    contender: contender.name,
    connections,
    round,
    report,
    cpuMicrosPerAccept: Object.fromEntries(
      Object.entries(cpu).map(([group, micros]) => [group, micros / Math.max(1, report.answered2xx)]),
    ),
    stored: settled?.stored,
    voidBecause: settled?.fault ?? whyVoid(report, connections, settled?.stored),
  };
}

/**
 * A run counts only when distinct ids = 2xx = growth of the stores. At its end wrk cuts off what is under way, at most
 * one request a connection: those may be stored without an answer, so the equation holds up to them.
 */
function whyVoid(report: WrkReport, connections: number, stored: number | undefined): string | undefined {
  const { issued, answered2xx, not2xx, socketErrors, timeouts } = report;
  if (answered2xx === 0) return "nothing was accepted";
  if (not2xx > 0) return `${not2xx} answers were not 2xx`;
  if (socketErrors + timeouts > 0) return `${socketErrors} socket errors, ${timeouts} timeouts`;
  if (issued - answered2xx > connections + ISSUED_BEYOND_CONNECTIONS)
    return `${issued} ids issued, ${answered2xx} answered`;
  if (stored !== undefined && (stored < answered2xx || stored > issued))
    return `${answered2xx} answered with 2xx, ${stored} stored`;
  return undefined;
}

function describeRun(run: AcceptRun): string {
  const rate = Math.round(run.report.ratePerSecond).toLocaleString("en-US");
  const verdict = run.voidBecause === undefined ? "" : `  VOID: ${run.voidBecause}`;
  return `  round ${run.round}  ${String(run.connections).padStart(4)} connections  ${run.contender.padEnd(24)} ${rate.padStart(8)}/s${verdict}`;
}

/** What counts of one contender at one number of connections. */
export interface ContenderSummary {
  ratePerSecond: number;
  p99Micros: number;
  cpuMicrosPerAccept: Record<string, number>;
  validRuns: number;
}

/** Medians over the valid rounds; undefined when no round counts. */
export function summarizeRuns(
  runs: readonly AcceptRun[],
  contender: string,
  connections: number,
): ContenderSummary | undefined {
  const valid = validRuns(runs, contender, connections);
  if (valid.length === 0) return undefined;
  const groups = Object.keys(valid[0]!.cpuMicrosPerAccept);
  return {
    ratePerSecond: median(valid.map((run) => run.report.ratePerSecond)),
    p99Micros: median(valid.map((run) => run.report.p99Micros)),
    cpuMicrosPerAccept: Object.fromEntries(
      groups.map((group) => [group, median(valid.map((run) => run.cpuMicrosPerAccept[group] ?? 0))]),
    ),
    validRuns: valid.length,
  };
}

/** Median over the rounds of the first contender's rate in shares of the second's in the same round. */
export function medianRatio(
  runs: readonly AcceptRun[],
  [first, second]: readonly [string, string],
  connections: number,
): number | undefined {
  const ratios = validRuns(runs, first, connections).flatMap((run) => {
    const other = validRuns(runs, second, connections).find(({ round }) => round === run.round);
    return other === undefined ? [] : [run.report.ratePerSecond / other.report.ratePerSecond];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}

function validRuns(runs: readonly AcceptRun[], contender: string, connections: number): AcceptRun[] {
  return runs.filter(
    (run) => run.contender === contender && run.connections === connections && run.voidBecause === undefined,
  );
}
