import { driveLoad, type LoadReport } from "./drive-load.ts";
import type { HubStores } from "./hub-stores.ts";
import { type HubUnderTest, hubProcesses } from "./hub-under-test.ts";
import type { LoadEndpoint } from "./load-endpoint.ts";

/** Holds the workers (SIGSTOP), so that what is accepted waits, or lets them go on. */
export function holdWorkers(hub: HubUnderTest, hold: boolean): void {
  for (const pid of hubProcesses(hub)["worker"] ?? []) process.kill(pid, hold ? "SIGSTOP" : "SIGCONT");
}

/** Rate at which a backlog is built up: fast, and still with an answer to every request. */
const FILL_PER_SECOND = 10_000;
const FILL_CONNECTIONS = 64;

/**
 * Sends so many webhooks with distinct ids.
 *
 * @throws Error when one of them was not accepted
 */
export async function fillBacklog(
  hub: HubUnderTest,
  endpoints: readonly LoadEndpoint[],
  entries: number,
  bodyBytes: number,
): Promise<LoadReport> {
  const ratePerSecond = Math.min(FILL_PER_SECOND, entries);
  const report = await driveLoad({
    baseUrl: hub.baseUrl,
    endpoints,
    ratePerSecond,
    seconds: entries / ratePerSecond,
    connections: FILL_CONNECTIONS,
    bodyBytes,
    timeoutMs: 30_000,
  });
  if (report.answered2xx === entries) return report;
  const statuses = JSON.stringify(report.byStatus);
  throw new Error(`Of ${entries} webhooks ${report.answered2xx} were accepted: ${statuses}`);
}

/** How fast the workers emptied the streams. */
export interface Drain {
  entries: number;
  seconds: number;
  perSecond: number;
}

const SAMPLE_MS = 100;

/** Nothing at all processed for this long: the workers are not slow, they are gone. */
const STALL_MS = 60_000;

/**
 * Lets the workers go on and waits until the streams are empty. Waking up (leases, connections) is no part of the rate:
 * the time counts from the first entry that ends.
 *
 * @throws Error when nothing is processed for a minute
 */
export async function measureDrain(hub: HubUnderTest, stores: HubStores): Promise<Drain> {
  const before = await stores.books();
  holdWorkers(hub, false);
  let startedMs = performance.now();
  let progressMs = startedMs;
  let ended = before.ended;
  let endedAtStart = before.ended;
  for (;;) {
    const books = await stores.books();
    const nowMs = performance.now();
    if (books.ended !== ended) {
      if (ended === before.ended) [startedMs, endedAtStart] = [nowMs, books.ended];
      [ended, progressMs] = [books.ended, nowMs];
    }
    if (books.inStream === 0) {
      const seconds = (nowMs - startedMs) / 1000;
      const entries = books.ended - endedAtStart;
      return { entries: books.ended - before.ended, seconds, perSecond: entries / Math.max(seconds, 1e-3) };
    }
    if (nowMs - progressMs > STALL_MS)
      throw new Error(`The workers do not go on: ${books.inStream} entries wait`);
    await Bun.sleep(SAMPLE_MS);
  }
}
