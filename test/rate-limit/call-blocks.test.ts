import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { liveCircuit } from "../../src/domain/circuit-breaker/live-circuit.ts";
import type { AdmissionCall, Admitted } from "../../src/domain/rate-limit/admission-call.ts";
import { Admission } from "../../src/domain/rate-limit/admission.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import type { Runtime } from "../../src/platform/runtime.ts";
import {
  type AdmissionFixture,
  admissionRuntime,
  admitted,
  another,
  callOf,
  fullestWindow,
  quotaOf,
  SILENT,
  startAdmission,
} from "./admission-fixture.ts";
import { startCaller } from "./several-callers.ts";

const TIMEOUT_MS = 60_000;
/** How long a block lives. */
const BLOCK_MS = 50;
const WIDE = quotaOf({ limit: 1_000_000, windowMs: 60_000 });

let fixture: AdmissionFixture;
let admission: Admission;
/** Another process's door. */
let otherRuntime: Runtime;
let other: Admission;

beforeAll(async () => {
  fixture = await startAdmission();
  ({ admission } = fixture);
  otherRuntime = admissionRuntime(fixture.redis.url);
  other = new Admission(otherRuntime, SILENT);
}, TIMEOUT_MS);
afterAll(async () => {
  await otherRuntime.shutdown.run();
  await fixture.stop();
}, TIMEOUT_MS);

const wide = (more: Partial<AdmissionCall> = {}): AdmissionCall => callOf({ quotas: [WIDE], ...more });

/**
 * Makes calls for a time, many at once.
 *
 * @returns what admitted them
 */
async function run(
  by: Admission,
  call: AdmissionCall,
  plan: { forMs?: number; until?: (one: Admitted) => boolean },
): Promise<Admitted[]> {
  const all: Admitted[] = [];
  const endMs = performance.now() + (plan.forMs ?? TIMEOUT_MS);
  let isDone = false;
  const loop = async (): Promise<void> => {
    while (!isDone && performance.now() < endMs) {
      const one = admitted(await by.admit(another(call)));
      all.push(one);
      isDone ||= plan.until?.(one) === true;
      await by.finish(one.lease, { outcome: "success" });
      // As a provider's answer does: others go on.
      await Bun.sleep(0);
    }
  };
  await Promise.all(Array.from({ length: 32 }, loop));
  return all;
}

const isOfBlock = ({ lease }: Admitted): boolean => lease.block !== undefined;

/** A call that a block admitted and that is still under way. */
async function callOfBlock(by: Admission, call: AdmissionCall): Promise<Admitted> {
  for (;;) {
    await run(by, call, { until: isOfBlock });
    const one = admitted(await by.admit(another(call)));
    if (isOfBlock(one)) return one;
    await by.finish(one.lease, { outcome: "success" });
  }
}

const usedOf = async (call: AdmissionCall): Promise<number> => {
  const { limit, remaining } = (await admission.look(call, call.quotas)).quotas[0]!;
  return limit - remaining;
};

function until(holds: () => Promise<boolean>): Promise<void> {
  const attempt = async (): Promise<void> => {
    if (!(await holds())) throw new Error("not in time");
  };
  return retryUntil(attempt, { everyMs: 5, timeoutMs: 50_000 });
}

describe("blocks of admissions", () => {
  test("count every call once: what a block did not use is given back", async () => {
    const call = wide({
      quotas: [{ ...WIDE, weight: 3 }, quotaOf({ name: "hour", limit: 5_000_000, windowMs: 3_600_000 })],
    });
    let ofBlocks = 0;
    const all = await run(admission, call, { until: (one) => isOfBlock(one) && ++ofBlocks > 200 });
    await until(async () => (await usedOf(call)) === all.length * 3);
    const { quotas } = await admission.look(call, call.quotas);
    expect(quotas[1]!.limit - quotas[1]!.remaining).toBe(all.length);
  });

  test("tell what is left after each call", async () => {
    const call = wide();
    const { remaining } = await callOfBlock(admission, call);
    const next = admitted(await admission.admit(another(call)));
    if (isOfBlock(next)) expect(next.remaining["calls"]).toBe(remaining["calls"]! - 1);
    expect(remaining["calls"]).toBeGreaterThan(WIDE.limit / 2);
  });

  test("give the unit of a call back that was never sent, once", async () => {
    const call = wide();
    let admittedCount = (await run(admission, call, { until: isOfBlock })).length;
    let one: Admitted;
    do {
      one = admitted(await admission.admit(another(call)));
      admittedCount++;
      for (let time = 0; time < 2; time++)
        await admission.finish(one.lease, { outcome: "none", isSent: false });
      admittedCount--;
    } while (!isOfBlock(one));
    await until(async () => (await usedOf(call)) === admittedCount);
  });

  test.each([
    ["a limit of calls at once", { concurrency: 10_000 }],
    ["a shared limit of calls at once", { sharedConcurrency: 10_000 }],
    ["a shared quota", { quotas: [{ ...WIDE, scope: "provider" as const }] }],
    ["a quota that is counted exactly", { quotas: [quotaOf({ limit: 1_000, windowMs: 1_000 })] }],
  ])("are not given with %s", async (_what, more) => {
    const all = await run(admission, wide({ ...more, queueTimeoutMs: 20_000 }), { forMs: 150 });
    expect(all.filter(isOfBlock)).toEqual([]);
  });

  test("are not given where less than half of a quota is free", async () => {
    const quota = quotaOf({ limit: 40_000, windowMs: 60_000 });
    const call = wide({ quotas: [quota] });
    // One heavy call takes what many would.
    const heavy = wide({ ...call, quotas: [{ ...quota, weight: 20_001 }] });
    admitted(await admission.admit(another(heavy)));
    const all = await run(admission, call, { forMs: 150 });
    expect(all.filter(isOfBlock)).toEqual([]);
  });

  test("show calls that outlast them among those under way, until they end", async () => {
    const call = wide();
    const long = [await callOfBlock(admission, call), await callOfBlock(admission, call)];
    await until(async () => (await admission.look(call, call.quotas)).inFlight === 2);
    for (const { lease } of long) await admission.finish(lease, { outcome: "success" });
    expect((await admission.look(call, call.quotas)).inFlight).toBe(0);
  });
});

describe("what ends a block", () => {
  const circuit = { failureThreshold: 5, successThreshold: 3, timeoutMs: 60_000 };

  test("the process's own failures: after the one that opens the circuit no call goes", async () => {
    const call = wide({ circuit });
    const failing = [];
    for (let count = 0; count < 5; count++) failing.push(await callOfBlock(admission, call));
    for (const { lease } of failing.slice(0, 4))
      expect(await admission.finish(lease, { outcome: "failure" })).toMatchObject({ state: "CLOSED" });
    expect(await admission.finish(failing[4]!.lease, { outcome: "failure" })).toMatchObject({
      state: "OPEN",
    });
    expect(await admission.admit(another(call))).toMatchObject({ kind: "refused", code: "circuit_open" });
  });

  test("a failure counts once, and a success of a block ends the row of failures", async () => {
    const call = wide({ circuit });
    const [first, second] = [await callOfBlock(admission, call), await callOfBlock(admission, call)];
    for (let time = 0; time < 6; time++) await admission.finish(first.lease, { outcome: "failure" });
    const after = await admission.finish(second.lease, { outcome: "success" });
    expect(after).toMatchObject({ state: "CLOSED", failureCount: 0 });
  });

  test("failures of another process: its calls are refused as soon as it hears of them", async () => {
    const call = wide({ circuit });
    const [mine, theirs] = await Promise.all([callOfBlock(admission, call), callOfBlock(other, call)]);
    await admission.finish(mine.lease, { outcome: "failure" });
    for (let count = 0; count < 4; count++) {
      const { lease } = admitted(await admission.admit(another(call)));
      await admission.finish(lease, { outcome: "failure" });
    }
    await Bun.sleep(BLOCK_MS);
    expect(await other.admit(another(call))).toMatchObject({ kind: "refused", code: "circuit_open" });
    expect(await other.finish(theirs.lease, { outcome: "success" })).toMatchObject({ state: "OPEN" });
  });

  test("successes of another process's block keep failures from being in a row", async () => {
    const call = wide({ circuit });
    for (let round = 0; round < 3; round++) {
      await callOfBlock(other, call).then(({ lease }) => other.finish(lease, { outcome: "success" }));
      for (let count = 0; count < 2; count++) {
        const { lease } = admitted(await admission.admit(another(call)));
        await admission.finish(lease, { outcome: "failure" });
      }
      const { lease } = admitted(await other.admit(another(call)));
      expect(await other.finish(lease, { outcome: "success" })).toMatchObject({ state: "CLOSED" });
    }
  });

  test("a circuit opened by hand", async () => {
    const call = wide({ circuit });
    const open = await callOfBlock(other, call);
    await liveCircuit(fixture.runtime, call, "OPEN");
    await Bun.sleep(BLOCK_MS);
    expect(await other.admit(another(call))).toMatchObject({ kind: "refused", code: "circuit_open" });
    await other.finish(open.lease, { outcome: "success" });
  });

  test("a pause that the provider asks for", async () => {
    const call = wide({ queueTimeoutMs: 0 });
    const [mine] = await Promise.all([callOfBlock(admission, call), callOfBlock(other, call)]);
    await admission.finish(mine.lease, { outcome: "success", retryAfterMs: 5_000 });
    const refused = { kind: "refused", code: "rate_limited" };
    expect(await admission.admit(another(call))).toMatchObject(refused);
    await Bun.sleep(BLOCK_MS);
    expect(await other.admit(another(call))).toMatchObject(refused);
  });

  test("a report of what is left, after which each call is counted as it goes", async () => {
    const call = wide({ queueTimeoutMs: 0 });
    const { lease } = await callOfBlock(admission, call);
    const reports = [{ quota: "calls", remaining: 2, resetAtMs: Date.now() + 60_000 }];
    await admission.finish(lease, { outcome: "success", reports });
    expect(await usedOf(call)).toBeGreaterThanOrEqual(WIDE.limit - 2);
    let after = 0;
    while ((await admission.admit(another(call))).kind === "go") after++;
    expect(after).toBeLessThanOrEqual(2);
  });

  test(
    "its own end, also for a process that hears nothing more",
    async () => {
      const runtime = admissionRuntime(fixture.redis.url);
      const own = new Admission(runtime, SILENT);
      const call = wide();
      const { lease } = await callOfBlock(own, call);
      await fixture.redis.kill();
      await Bun.sleep(BLOCK_MS);
      await expect(own.admit(another(call))).rejects.toMatchObject({ code: "unavailable", status: 503 });
      expect(await own.finish(lease, { outcome: "success" })).toBeUndefined();
      await fixture.redis.restart();
      await runtime.shutdown.run();
    },
    TIMEOUT_MS,
  );
});

describe("blocks of several processes", () => {
  const start = (call: AdmissionCall, seenKey: string, durationMs: number) =>
    startCaller({ redisUrl: fixture.redis.url, load: { calls: [call], inFlight: 24, durationMs }, seenKey });
  const seen = async (key: string): Promise<number[]> =>
    (await fixture.runtime.redis.lrange(key, 0, -1)).map(Number);

  test(
    "never exceed a limit in any window, though one of the processes is killed",
    async () => {
      const windowMs = 1_500;
      const call = wide({ quotas: [quotaOf({ limit: 3_000, windowMs })], queueTimeoutMs: 20_000 });
      const key = `seen:${call.integrationId}`;
      const callers = await Promise.all([1, 2, 3, 4].map(() => start(call, key, TIMEOUT_MS)));
      const admittedMin = (count: number) =>
        until(async () => (await fixture.runtime.redis.llen(key)) > count);
      for (const caller of callers) caller.start();
      await admittedMin(500);
      await callers[0]!.kill();
      // More than two windows allow.
      await admittedMin(7_000);
      await Promise.all(callers.slice(1).map((caller) => caller.kill()));
      expect(fullestWindow(await seen(key), windowMs)).toBeLessThanOrEqual(3_000);
    },
    TIMEOUT_MS,
  );

  test(
    "stop within the life of a block when the limit is lowered",
    async () => {
      const call = wide({ quotas: [quotaOf({ limit: 100_000, windowMs: 60_000 })], queueTimeoutMs: 0 });
      const key = `seen:${call.integrationId}`;
      const callers = await Promise.all([1, 2].map(() => start(call, key, TIMEOUT_MS)));
      for (const caller of callers) caller.start();
      await until(async () => (await fixture.runtime.redis.llen(key)) > 1_000);
      const { lease } = admitted(await admission.admit(another(call)));
      await admission.finish(lease, { outcome: "success", reports: [{ quota: "calls", limit: 200 }] });
      const [seconds, micros] = (await fixture.runtime.redis.time()) as unknown as [string, string];
      const loweredAtMs = Number(seconds) * 1_000 + Number(micros) / 1_000;
      // What a block still lets out is told of long before this.
      await Bun.sleep(1_000);
      await Promise.all(callers.map((caller) => caller.kill()));
      const late = (await seen(key)).filter((time) => time > loweredAtMs + BLOCK_MS);
      expect(late).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
