import { join } from "node:path";
import { addLatencies, createLatencyHistogram, type LatencySummary, summarizeLatencies } from "./latency.ts";
import type { OpenLoopCounts, OpenLoopPlan } from "./open-loop.ts";

/** What a run of one or several generator processes saw. */
export interface LoadReport {
  sent: number;
  unsent: number;
  answered2xx: number;
  answered429: number;
  answered503: number;
  other: number;
  byStatus: Record<string, number>;
  timeouts: number;
  broken: number;
  connectErrors: number;
  durationMs: number;
  /** Requests sent a second, and answered with 2xx a second, over the planned time. */
  sentPerSecond: number;
  achievedPerSecond: number;
  latency: LatencySummary;
  lateness: LatencySummary;
  /** CPU time of all generator processes. */
  generatorCpuMicros: number;
  generatorProcesses: number;
}

/** What one generator process signs and sends without becoming late itself (25 µs of CPU a request). */
const RATE_OF_A_PROCESS = 15_000;

export interface LoadRequest extends Omit<OpenLoopPlan, "idPrefix"> {
  /** Generator processes; as many as the rate needs when left out. */
  processes?: number;
  onProgress?: (progress: { sent: number; answered: number }) => void;
}

/**
 * Sends a steady rate of signed webhooks from generator processes of their own and adds up what they saw.
 *
 * @throws Error when a generator process ends without a result
 */
export async function driveLoad(request: LoadRequest): Promise<LoadReport> {
  const { onProgress, processes: wanted, ...plan } = request;
  const processes = Math.min(wanted ?? Math.ceil(plan.ratePerSecond / RATE_OF_A_PROCESS), plan.connections);
  const runId = crypto.randomUUID().slice(0, 8);
  const shares = Array.from({ length: processes }, () => ({ sent: 0, answered: 0 }));
  const results = await Promise.all(
    shares.map((share, index) =>
      runGenerator(
        {
          ...plan,
          ratePerSecond: plan.ratePerSecond / processes,
          connections: shareOf(plan.connections, processes, index),
          idPrefix: `${runId}-${index}`,
        },
        (progress) => {
          Object.assign(share, progress);
          if (index === 0) onProgress?.(sumOf(shares));
        },
      ),
    ),
  );
  return merge(results, plan.seconds);
}

function shareOf(connections: number, processes: number, index: number): number {
  return Math.floor(connections / processes) + (index < connections % processes ? 1 : 0);
}

function sumOf(shares: readonly { sent: number; answered: number }[]): { sent: number; answered: number } {
  return {
    sent: shares.reduce((sum, share) => sum + share.sent, 0),
    answered: shares.reduce((sum, share) => sum + share.answered, 0),
  };
}

interface GeneratorResult {
  counts: OpenLoopCounts;
  cpuMicros: number;
}

async function runGenerator(
  plan: OpenLoopPlan,
  onProgress: (progress: { sent: number; answered: number }) => void,
): Promise<GeneratorResult> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "open-loop-process.ts")], {
    stdin: new Blob([JSON.stringify(plan)]),
    stdout: "pipe",
    stderr: "inherit",
  });
  // A generator must not outlive the run that ordered it.
  const stop = (): void => child.kill("SIGKILL");
  process.once("exit", stop);
  let counts: OpenLoopCounts | undefined;
  for await (const line of linesOf(child.stdout)) {
    const message = JSON.parse(line) as {
      progress?: { sent: number; answered: number };
      counts?: OpenLoopCounts;
    };
    if (message.progress) onProgress(message.progress);
    counts = message.counts ?? counts;
  }
  const code = await child.exited;
  process.off("exit", stop);
  if (counts === undefined) throw new Error(`A generator process ended with code ${code} and no result`);
  return { counts, cpuMicros: Number(child.resourceUsage()?.cpuTime.total ?? 0) };
}

/** Text of a stream, line by line. */
async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines.filter((line) => line !== "");
  }
  if (rest !== "") yield rest;
}

function merge(results: readonly GeneratorResult[], seconds: number): LoadReport {
  const latencies = createLatencyHistogram();
  const lateness = createLatencyHistogram();
  const byStatus: Record<string, number> = {};
  for (const { counts } of results) {
    addLatencies(latencies, counts.latencies);
    addLatencies(lateness, counts.lateness);
    for (const [status, count] of Object.entries(counts.byStatus)) {
      byStatus[status] = (byStatus[status] ?? 0) + count;
    }
  }
  const total = (pick: (counts: OpenLoopCounts) => number) =>
    results.reduce((sum, { counts }) => sum + pick(counts), 0);
  const withStatus = (wanted: (status: number) => boolean) =>
    Object.entries(byStatus).reduce((sum, [status, count]) => sum + (wanted(Number(status)) ? count : 0), 0);
  const answered2xx = withStatus((status) => status < 300);
  const sent = total((counts) => counts.sent);
  return {
    sent,
    unsent: total((counts) => counts.unsent),
    answered2xx,
    answered429: withStatus((status) => status === 429),
    answered503: withStatus((status) => status === 503),
    other: withStatus((status) => status >= 300 && status !== 429 && status !== 503),
    byStatus,
    timeouts: total((counts) => counts.timeouts),
    broken: total((counts) => counts.broken),
    connectErrors: total((counts) => counts.connectErrors),
    durationMs: Math.max(...results.map(({ counts }) => counts.durationMs)),
    sentPerSecond: sent / seconds,
    achievedPerSecond:
      answered2xx / Math.max(seconds, ...results.map(({ counts }) => counts.durationMs / 1000)),
    latency: summarizeLatencies(latencies),
    lateness: summarizeLatencies(lateness),
    generatorCpuMicros: results.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0),
    generatorProcesses: results.length,
  };
}
