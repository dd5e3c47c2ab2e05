import { driveLoad, type LoadReport } from "./drive-load.ts";
import { settleHub } from "./accept-contenders.ts";
import type { HubStores } from "./hub-stores.ts";
import { type HubUnderTest, hubProcesses } from "./hub-under-test.ts";
import type { LoadEndpoint } from "./load-endpoint.ts";
import { CpuMeter } from "./process-cpu.ts";

/** What one steady rate did to the backlog. */
export interface SteadyRun {
  ratePerSecond: number;
  seconds: number;
  /** Slope of the stream depth over the run, entries a second. */
  backlogPerSecond: number;
  depthAtEnd: number;
  endedPerSecond: number;
  /** Why the books do not balance; undefined when they do. */
  fault: string | undefined;
  /** True when the rate was accepted and processed, distinct ids = 2xx = receipts, and the backlog did not grow. */
  held: boolean;
  report: LoadReport;
  cpuMicrosPerAccept: Record<string, number>;
}

export interface SustainedPlan {
  hub: HubUnderTest;
  stores: HubStores;
  endpoints: readonly LoadEndpoint[];
  /** Rate of accepting alone; the search starts below it. */
  acceptRatePerSecond: number;
  /** Time for which the result must hold. */
  holdSeconds: number;
  bodyBytes: number;
}

const PROBE_SECONDS = 10;
const PROBES_MAX = 7;
const HOLDS_MAX = 4;
const CONNECTIONS = 64;

/** Depth that the worker's reading ahead and its batches explain; beyond it there is a backlog. */
const DEPTH_SECONDS_MAX = 2;

/** A slope below this share of the rate is noise of the sampling. */
const GROWTH_SHARE_MAX = 0.01;

/** Processed in shares of the intended rate; the rest is noise of the sampling. */
const ENDED_SHARE_MIN = 0.98;

/**
 * Finds the highest steady rate at which the whole path, socket to Postgres, keeps up: short probes close in on it,
 * then it must hold for `holdSeconds`; what does not hold is lowered by 6 %.
 *
 * @returns the run that held, undefined when none did, and all runs
 */
export async function findSustainedRate(
  plan: SustainedPlan,
): Promise<{ held: SteadyRun | undefined; runs: SteadyRun[] }> {
  const runs: SteadyRun[] = [];
  const steady = async (ratePerSecond: number, seconds: number): Promise<SteadyRun> => {
    const run = await runSteadily(plan, Math.round(ratePerSecond), seconds);
    runs.push(run);
    console.log(describeRun(run));
    return run;
  };
  let holds = 0;
  let fails = plan.acceptRatePerSecond;
  let next = 0.4 * plan.acceptRatePerSecond;
  for (let probe = 0; probe < PROBES_MAX && fails - holds > 0.06 * fails; probe++) {
    const run = await steady(next, PROBE_SECONDS);
    if (run.held) holds = run.ratePerSecond;
    else fails = run.ratePerSecond;
    // What was processed while more came in is a good guess from above.
    const guess = run.held ? Math.min(1.25 * holds, (holds + fails) / 2) : 0.97 * run.endedPerSecond;
    next = Math.min(0.97 * fails, Math.max(guess, holds * 1.03, 0.2 * fails));
  }
  for (let attempt = 0, rate = Math.max(holds, 0.1 * fails); attempt < HOLDS_MAX; attempt++, rate *= 0.94) {
    const run = await steady(rate, plan.holdSeconds);
    if (run.held) return { held: run, runs };
  }
  return { held: undefined, runs };
}

function describeRun(run: SteadyRun): string {
  const verdict = run.held ? "keeps up" : run.fault === undefined ? "falls behind" : `VOID: ${run.fault}`;
  return (
    `  ${run.ratePerSecond.toLocaleString("en-US").padStart(7)}/s for ${run.seconds} s: ${verdict} ` +
    `(processed ${Math.round(run.endedPerSecond).toLocaleString("en-US")}/s, backlog ` +
    `${run.backlogPerSecond >= 0 ? "+" : ""}${Math.round(run.backlogPerSecond)}/s, ${run.depthAtEnd} waiting at the end)`
  );
}

/** One open-loop run with samples of the backlog; leaves the stores empty. */
async function runSteadily(plan: SustainedPlan, ratePerSecond: number, seconds: number): Promise<SteadyRun> {
  const { hub, stores } = plan;
  const before = await stores.books();
  const meter = new CpuMeter(hubProcesses(hub));
  const samples: { atSeconds: number; depth: number; ended: number }[] = [];
  const startedMs = performance.now();
  const over = new AbortController();
  const load = driveLoad({
    baseUrl: hub.baseUrl,
    endpoints: plan.endpoints,
    ratePerSecond,
    seconds,
    connections: CONNECTIONS,
    bodyBytes: plan.bodyBytes,
    timeoutMs: 5000,
  }).finally(() => over.abort());
  while (!over.signal.aborted) {
    const books = await stores.books();
    samples.push({
      atSeconds: (performance.now() - startedMs) / 1000,
      depth: books.inStream,
      ended: books.ended - before.ended,
    });
    await Promise.race([load, Bun.sleep(500)]);
  }
  const report = await load;
  const cpu: Record<string, number> = { ...meter.read(), generator: report.generatorCpuMicros };
  const { stored, fault } = await settleHub(stores, before);
  // Start-up of the generators and the first batches are no part of the steady state.
  const steady = samples.filter(
    ({ atSeconds }) => atSeconds > Math.min(5, seconds / 4) && atSeconds < seconds,
  );
  const backlogPerSecond = slopeOf(steady.map(({ atSeconds, depth }) => [atSeconds, depth]));
  const depthAtEnd = steady.at(-1)?.depth ?? 0;
  const endedPerSecond = slopeOf(steady.map(({ atSeconds, ended }) => [atSeconds, ended]));
  return {
    ratePerSecond,
    seconds,
    backlogPerSecond,
    depthAtEnd,
    endedPerSecond,
    fault,
    held:
      steady.length > 2 &&
      fault === undefined &&
      report.answered2xx === report.sent &&
      stored === report.sent &&
      // A hub that answers late keeps its stream short; the backlog is then in the senders' queue.
      endedPerSecond >= ENDED_SHARE_MIN * ratePerSecond &&
      backlogPerSecond <= GROWTH_SHARE_MAX * ratePerSecond &&
      depthAtEnd <= DEPTH_SECONDS_MAX * ratePerSecond,
    report,
    cpuMicrosPerAccept: Object.fromEntries(
      Object.entries(cpu).map(([group, micros]) => [group, micros / Math.max(1, report.answered2xx)]),
    ),
  };
}

/** Slope of the line of least squares through the points; 0 for fewer than two. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const count = points.length;
  if (count < 2) return 0;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count;
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const variance = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return variance === 0 ? 0 : covariance / variance;
}
