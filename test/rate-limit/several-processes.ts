import { expect } from "bun:test";
import type { AdmissionCall, Priority } from "../../src/domain/rate-limit/admission-call.ts";
import { Admission } from "../../src/domain/rate-limit/admission.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { admissionKeys } from "../../src/platform/redis/keys.ts";
import {
  admissionRuntime,
  admitted,
  another,
  callOf,
  fullestWindow,
  quotaOf,
  SILENT,
} from "./admission-fixture.ts";
import type { CallerPlan, CallerReport } from "./caller-process.ts";
import { runCallers } from "./several-callers.ts";

const PROCESSES = 4;

/** Longest time for which calls are held back until all have their places. */
const HOLD_MS = 30_000;
/** Places for each call that a limit allows. */
const PLACES_OF_LIMIT = 10;

const timesOf = (reports: readonly { integrationId: string; admittedAtMs?: number }[], call: AdmissionCall) =>
  reports.flatMap(({ integrationId, admittedAtMs }) =>
    integrationId === call.integrationId && admittedAtMs !== undefined ? [admittedAtMs] : [],
  );

/**
 * Four processes under load on quotas of 10 a second, 100 a minute and one that is counted in sub-windows: no window is
 * ever over, and so much of them is used.
 *
 * @param load.hourly the third quota's limit; the processes have to be able to use it up in the time
 */
export async function checkQuotas(
  redisUrl: string,
  { durationMs, hourly, usedMin }: { durationMs: number; hourly: number; usedMin: number },
): Promise<void> {
  const calls = [
    callOf({ quotas: [quotaOf()] }),
    callOf({ quotas: [quotaOf({ limit: 100, windowMs: 60_000 })] }),
    callOf({ quotas: [quotaOf({ limit: hourly, windowMs: 3_600_000 })] }),
  ];
  const load = { calls, inFlight: 8, durationMs };
  const reports = await runCallers(
    redisUrl,
    Array.from({ length: PROCESSES }, () => ({ load })),
  );
  const shares = calls.map((call) => {
    const { limit, windowMs } = call.quotas[0]!;
    const times = timesOf(reports, call);
    expect(fullestWindow(times, windowMs)).toBeLessThanOrEqual(limit);
    // What a perfect limiter could let go in this time: a full window at once, then one at each end of a window.
    const possible = limit * (1 + Math.floor((durationMs - 500) / windowMs));
    return times.length / possible;
  });
  console.log(
    `limiter: ${PROCESSES} processes, ${durationMs / 1000} s: used ${shares.map((share) => `${(share * 100).toFixed(1)} %`).join(", ")} of 10/s, 100/min, ${hourly}/h`,
  );
  for (const share of shares) expect(share).toBeGreaterThanOrEqual(usedMin);
}

/**
 * Runs the callers' bursts as one: no call goes before those of every process, however late it began, have their places.
 *
 * @param calls one of each integration
 * @param placesMin of each integration
 */
async function runTogether(
  redisUrl: string,
  parts: readonly Pick<CallerPlan, "burst">[],
  calls: readonly { call: AdmissionCall; placesMin: number }[],
): Promise<CallerReport[]> {
  const runtime = admissionRuntime(redisUrl);
  const admission = new Admission(runtime, SILENT);
  try {
    for (const { call } of calls) {
      const { lease } = admitted(await admission.admit(another(call)));
      await admission.finish(lease, { outcome: "success", retryAfterMs: HOLD_MS });
    }
    const running = runCallers(redisUrl, parts);
    const inPlace = async (): Promise<void> => {
      for (const { call, placesMin } of calls) {
        const { waiting } = await admission.look(call, call.quotas);
        if (waiting < placesMin) throw new Error(`${waiting} of ${placesMin} calls have their places`);
      }
    };
    await Promise.race([running, retryUntil(inPlace, { everyMs: 20, timeoutMs: HOLD_MS })]);
    for (const { call } of calls) await runtime.redis.hdel(admissionKeys(call).state, "h");
    return await running;
  } finally {
    await runtime.shutdown.run();
  }
}

/**
 * Many calls at once from four processes with three priorities of one tenant, on 10 a second: never above, none lost,
 * high before normal before low among those that wait, and low not left out.
 *
 * @param strayMax calls that may go before their turn: a place that its process does not ask for in time, because it got
 *   no processor for 100 ms, is the next one's
 */
export async function checkPriorities(redisUrl: string, count: number, strayMax = 0): Promise<void> {
  const base = callOf({ queueTimeoutMs: 120_000, deadlineMs: 120_000 });
  const priorities: Priority[] = ["low", "normal", "high"];
  const parts = Array.from({ length: PROCESSES }, () => ({
    burst: {
      calls: Array.from({ length: count / PROCESSES }, (_, index) => ({
        ...base,
        priority: priorities[index % 3]!,
      })),
      retryForMs: 120_000,
    },
  }));
  const placesMin = Math.min(count, base.quotas[0]!.limit * PLACES_OF_LIMIT);
  const reports = await runTogether(redisUrl, parts, [{ call: base, placesMin }]);
  expect(reports.length).toBe(count);
  expect(reports.filter(({ admittedAtMs }) => admittedAtMs === undefined)).toEqual([]);
  const sorted = reports.toSorted((a, b) => a.admittedAtMs! - b.admittedAtMs!);
  expect(
    fullestWindow(
      sorted.map(({ admittedAtMs }) => admittedAtMs!),
      1000,
    ),
  ).toBeLessThanOrEqual(10);
  // Those that had a place from the first ask; the first ten never waited.
  const queued = sorted.slice(10).filter(({ asked }) => asked === 1);
  const last = (priority: Priority) => queued.findLastIndex((report) => report.priority === priority);
  const first = (priority: Priority) => queued.findIndex((report) => report.priority === priority);
  const highs = queued.filter(({ priority }) => priority === "high");
  expect(highs.length).toBeGreaterThan(0);
  // Before the last high one only high ones go, and a low one in every twenty.
  const before = queued.slice(0, last("high"));
  expect(before.filter(({ priority }) => priority === "normal").length).toBeLessThanOrEqual(strayMax);
  expect(before.filter(({ priority }) => priority === "low").length).toBeLessThanOrEqual(
    Math.ceil(before.length / 20) + 1 + strayMax,
  );
  const lows = queued.slice(0, last("normal")).filter(({ priority }) => priority === "low").length;
  if (first("normal") >= 0 && last("normal") >= 40) expect(lows).toBeGreaterThan(0);
}

/**
 * Two tenants of a shared quota, one with ten times as many calls: while both wait they get the same.
 *
 * @param strayMax see `checkPriorities`
 */
export async function checkFairness(redisUrl: string, each: number, strayMax = 0): Promise<void> {
  const providerId = crypto.randomUUID();
  const quotas = [quotaOf({ scope: "provider" })];
  const shared = { providerId, quotas, queueTimeoutMs: 60_000, deadlineMs: 60_000 };
  const [flood, calm] = [callOf(shared), callOf(shared)];
  const parts = Array.from({ length: PROCESSES }, (_, index) => ({
    burst: {
      calls: Array.from({ length: index === 3 ? each : each * 2 }, () => (index === 3 ? calm : flood)),
      retryForMs: 60_000,
    },
  }));
  const reports = await runTogether(redisUrl, parts, [
    { call: flood, placesMin: each * 6 },
    { call: calm, placesMin: each },
  ]);
  const sorted = reports.toSorted((a, b) => a.admittedAtMs! - b.admittedAtMs!);
  expect(
    fullestWindow(
      sorted.map(({ admittedAtMs }) => admittedAtMs!),
      1000,
    ),
  ).toBeLessThanOrEqual(10);
  const isCalm = ({ integrationId }: { integrationId: string }) => integrationId === calm.integrationId;
  const lastCalm = sorted.findLastIndex(isCalm);
  const floodBefore = sorted.slice(0, lastCalm).filter((report) => !isCalm(report)).length;
  // They take turns, to within one unit of each, from the second ten on at the latest.
  expect(floodBefore).toBeLessThanOrEqual(each + 12 + strayMax);
  expect(sorted.length).toBe(each * 7);
}
