import { createLatencyHistogram, type LatencySummary, recordLatency, summarizeLatencies } from "./latency.ts";

/** Pause between two looks at the clock. */
const TICK_MS = 1;
/** The runtime sends no more at once; a server that is this far behind has failed anyway. */
const IN_FLIGHT_MAX = 200;

/** GETs at a steady rate, whatever the server does. */
export interface SteadyPlan {
  url: string;
  headers: Readonly<Record<string, string>>;
  ratePerSecond: number;
  seconds: number;
}

export interface SteadyReport {
  sent: number;
  failed: number;
  /** Due, but too many were under way. */
  unsent: number;
  /** From the intended time to the complete answer. */
  latency: LatencySummary;
}

/** Sends at the intended times and measures from these, so that a stall makes all that were due meanwhile late. */
export async function runSteadyCalls({
  url,
  headers,
  ratePerSecond,
  seconds,
}: SteadyPlan): Promise<SteadyReport> {
  const histogram = createLatencyHistogram();
  const total = Math.round(ratePerSecond * seconds);
  const report = { sent: 0, failed: 0, unsent: 0 };
  const running = new Set<Promise<void>>();
  const startedMs = performance.now();
  const call = async (dueMs: number): Promise<void> => {
    try {
      const answer = await fetch(url, { headers });
      await answer.arrayBuffer();
      if (answer.ok) recordLatency(histogram, performance.now() - dueMs);
      else report.failed++;
    } catch {
      report.failed++;
    }
  };
  for (let next = 0; next < total;) {
    const nowMs = performance.now();
    for (let dueMs = startedMs + (next * 1_000) / ratePerSecond; dueMs <= nowMs && next < total;) {
      if (running.size >= IN_FLIGHT_MAX) report.unsent++;
      else {
        report.sent++;
        const one: Promise<void> = call(dueMs).finally(() => running.delete(one));
        running.add(one);
      }
      dueMs = startedMs + (++next * 1_000) / ratePerSecond;
    }
    // oxlint-disable-next-line no-await-in-loop -- this is the clock
    await Bun.sleep(TICK_MS);
  }
  await Promise.all(running);
  return { ...report, latency: summarizeLatencies(histogram) };
}
