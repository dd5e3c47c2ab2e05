import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type AdmissionCall,
  type Admitted,
  quotasOrDefault,
} from "../../src/domain/rate-limit/admission-call.ts";
import { Admission } from "../../src/domain/rate-limit/admission.ts";
import { loadConfig } from "../../src/platform/config.ts";
import {
  admissionRuntime,
  type AdmissionFixture,
  admitted,
  another,
  callOf,
  fullestWindow,
  quotaOf,
  SILENT,
  startAdmission,
} from "./admission-fixture.ts";

const TIMEOUT_MS = 30_000;

let fixture: AdmissionFixture;
let admission: Admission;

beforeAll(async () => {
  fixture = await startAdmission();
  ({ admission } = fixture);
}, TIMEOUT_MS);
afterAll(() => fixture.stop(), TIMEOUT_MS);

/** Admits one call and ends it. */
async function use(call: AdmissionCall, result: Parameters<Admission["finish"]>[1] = { outcome: "success" }) {
  const go = admitted(await admission.admit(another(call)));
  await admission.finish(go.lease, result);
  return go;
}

/** Takes all that the quota allows at once. */
async function exhaust(call: AdmissionCall): Promise<void> {
  for (let taken = 0; taken < call.quotas[0]!.limit; taken++) await use(call);
}

async function untilWaiting(call: AdmissionCall, count: number): Promise<void> {
  while ((await admission.look(call, call.quotas)).waiting !== count) await Bun.sleep(5);
}

describe("admit() counts", () => {
  test.each([
    ["a log", quotaOf({ limit: 20, windowMs: 400 })],
    ["sub-windows", quotaOf({ limit: 1200, windowMs: 600, weight: 40 })],
  ])("admit() keeps %s within its limit in every window, and uses it", async (_kind, quota) => {
    const call = callOf({ quotas: [quota], queueTimeoutMs: 20_000 });
    const calls = Array.from({ length: 90 }, () => admission.admit(another(call)));
    const times = (await Promise.all(calls)).map((result) => admitted(result).lease.admittedAtMs);
    expect(fullestWindow(times, quota.windowMs) * quota.weight).toBeLessThanOrEqual(quota.limit);
    expect(fullestWindow(times, quota.windowMs) * quota.weight).toBeGreaterThan(quota.limit * 0.9);
  });

  test("admit() keeps several quotas at once, each by its own weight", async () => {
    const call = callOf({
      quotas: [
        quotaOf({ name: "second", limit: 5, windowMs: 300 }),
        quotaOf({ name: "points", limit: 40, windowMs: 60_000, weight: 4 }),
        quotaOf({ name: "other path", limit: 1, windowMs: 60_000, weight: 0 }),
      ],
      queueTimeoutMs: 20_000,
    });
    const results = await Promise.all(Array.from({ length: 10 }, () => admission.admit(another(call))));
    const times = results.map((result) => admitted(result).lease.admittedAtMs);
    expect(fullestWindow(times, 300)).toBe(5);
    const refused = await admission.admit(another(call, { queueTimeoutMs: 0 }));
    expect(refused).toMatchObject({ kind: "refused", code: "rate_limited" });
  });

  test("admit() tells what is left, by quota", async () => {
    const call = callOf({
      quotas: [
        quotaOf({ limit: 3, windowMs: 60_000 }),
        quotaOf({ name: "hour", limit: 5000, windowMs: 3_600_000, weight: 2 }),
      ],
    });
    expect(admitted(await admission.admit(call)).remaining).toEqual({ calls: 2, hour: 4998 });
    expect(admitted(await admission.admit(another(call))).remaining).toEqual({ calls: 1, hour: 4996 });
  });

  test("admit() lets one integration's calls leave another one alone", async () => {
    const [call, other] = [callOf(), callOf()];
    await exhaust(call);
    expect(admitted(await admission.admit({ ...other, providerId: call.providerId })).queuedMs).toBe(0);
  });

  test("quotasOrDefault() gives DEFAULT_RATE_LIMIT per RATE_LIMIT_WINDOW_SECONDS where none is declared", () => {
    const config = loadConfig({});
    expect(quotasOrDefault(config, [])).toEqual([
      { name: "default", limit: 100, windowMs: 60_000, weight: 1, scope: "integration" },
    ]);
    const declared = [quotaOf()];
    expect(quotasOrDefault(config, declared)).toBe(declared);
  });

  test("finish() gives the units of a call back that was never sent", async () => {
    const log = callOf({ quotas: [quotaOf({ limit: 1, windowMs: 60_000 })] });
    await use(log, { outcome: "none", isSent: false });
    await use(log);
    const windows = callOf({ quotas: [quotaOf({ limit: 2000, windowMs: 60_000, weight: 2000 })] });
    await use(windows, { outcome: "none", isSent: false });
    await use(windows);
    for (const call of [log, windows]) {
      expect(await admission.admit(another(call))).toMatchObject({ kind: "refused", code: "rate_limited" });
    }
  });
});

describe("admit() queues", () => {
  /** One goes at a time: the next when the one before has ended, and not after some time. */
  const single = (more: Partial<AdmissionCall> = {}) =>
    callOf({ quotas: [quotaOf({ limit: 1000 })], concurrency: 1, queueTimeoutMs: 60_000, ...more });
  const end = ({ lease }: Admitted) => admission.finish(lease, { outcome: "success" });

  /** Waits for its turn, notes its name, and lets the next one go. */
  async function pass(call: AdmissionCall, name: string, order: string[]): Promise<void> {
    const go = admitted(await admission.admit(another(call)));
    order.push(name);
    await end(go);
  }

  test("admit() goes by priority, then by arrival, and lets one low in among twenty", async () => {
    const call = single();
    const holding = admitted(await admission.admit(call));
    const order: string[] = [];
    const enqueue = (priority: AdmissionCall["priority"], count: number): Promise<void>[] =>
      Array.from({ length: count }, (_, index) => pass({ ...call, priority }, `${priority} ${index}`, order));
    const all = [...enqueue("low", 3), ...enqueue("normal", 25), ...enqueue("high", 25)];
    await untilWaiting(call, 53);
    await end(holding);
    await Promise.all(all);
    const of = (priority: string): string[] => order.filter((name) => name.startsWith(priority));
    for (const priority of ["high", "normal", "low"])
      expect(of(priority)).toEqual(
        of(priority).toSorted((a, b) => Number(a.split(" ")[1]) - Number(b.split(" ")[1])),
      );
    expect(order.indexOf("low 0")).toBe(19);
    expect(order.indexOf("low 1")).toBe(39);
    expect(order.filter((name) => !name.startsWith("low")).slice(0, 25)).toEqual(of("high"));
  });

  test("admit() refuses beyond ten places for each call that the limit allows, except a high one", async () => {
    const call = single({ quotas: [quotaOf({ limit: 2, windowMs: 1 })] });
    const holding = admitted(await admission.admit(call));
    const enough = new AbortController();
    const order: string[] = [];
    const normal = async (): Promise<void> => {
      await admission.admit(another(call), enough.signal);
      order.push("normal");
    };
    const waiting = Promise.allSettled(Array.from({ length: 20 }, normal));
    await untilWaiting(call, 20);
    const refused = await admission.admit(another(call));
    expect(refused).toMatchObject({ kind: "refused", code: "queue_full" });
    expect(refused).toHaveProperty("retryAfterMs", 1000);
    const high = pass({ ...call, priority: "high" }, "high", order);
    await untilWaiting(call, 21);
    await end(holding);
    await high;
    expect(order[0]).toBe("high");
    enough.abort(new Error("enough"));
    await waiting;
  });

  test("admit() refuses at once what cannot go in time, with the time when it can", async () => {
    const call = callOf({ quotas: [quotaOf({ limit: 2, windowMs: 60_000 })] });
    await exhaust(call);
    const refused = await admission.admit(another(call));
    expect(refused).toMatchObject({ kind: "refused", code: "rate_limited", queuedMs: 0 });
    expect((refused as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(30_000);
    expect((await admission.look(call, call.quotas)).waiting).toBe(0);
  });

  test("admit() gives a place up after its time, and lets the next one have it", async () => {
    const call = single();
    const holding = admitted(await admission.admit(call));
    const order: string[] = [];
    const first = pass(call, "first", order);
    await untilWaiting(call, 1);
    const second = admission.admit(another(call, { queueTimeoutMs: 500 }));
    const third = second.then(() => pass(call, "third", order));
    expect(await second).toMatchObject({ kind: "refused", code: "queue_timeout" });
    await untilWaiting(call, 2);
    await end(holding);
    await Promise.all([first, third]);
    expect(order).toEqual(["first", "third"]);
    expect((await admission.look(call, call.quotas)).waiting).toBe(0);
  });

  test("admit() gives a place up when its caller leaves", async () => {
    const call = single();
    const holding = admitted(await admission.admit(call));
    const controller = new AbortController();
    const left = admission.admit(another(call), controller.signal);
    const next = admission.admit(another(call));
    await untilWaiting(call, 2);
    controller.abort(new Error("the caller left"));
    await expect(left).rejects.toThrow("the caller left");
    await end(holding);
    admitted(await next);
    expect((await admission.look(call, call.quotas)).waiting).toBe(0);
  });

  test("admit() waits for min(10 s, deadline) unless it is told otherwise", async () => {
    const call = callOf({ quotas: [quotaOf({ limit: 1, windowMs: 9000 })] });
    await exhaust(call);
    const short = await admission.admit(another(call, { deadlineMs: 300 }));
    expect(short).toMatchObject({ kind: "refused", code: "rate_limited" });
    const left = new AbortController();
    const waiting = admission.admit(another(call), left.signal);
    await untilWaiting(call, 1);
    left.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });

  test("admit() takes tenants of a provider in turn, however many wait of each", async () => {
    const atOnce = 4;
    const shared = {
      providerId: crypto.randomUUID(),
      quotas: [quotaOf({ limit: 1000, scope: "provider" })],
      sharedConcurrency: atOnce,
      queueTimeoutMs: 60_000,
    };
    const [flood, calm] = [callOf(shared), callOf(shared)];
    const holding = Array.from({ length: atOnce }, () => admission.admit(callOf(shared)));
    const held = (await Promise.all(holding)).map(admitted);
    const order: string[] = [];
    const flooding = Array.from({ length: 36 }, () => pass(flood, "flood", order));
    await untilWaiting(flood, 36);
    const calming = Array.from({ length: 12 }, () => pass(calm, "calm", order));
    await untilWaiting(calm, 12);
    for (const one of held) await end(one);
    await Promise.all([...flooding, ...calming]);
    const whileBoth = order.slice(0, order.lastIndexOf("calm") + 1);
    expect(whileBoth.length).toBeLessThanOrEqual(12 * 2 + 6);
    expect(order.length).toBe(48);
  });

  test("admit() lets a tenant whose own quota is used up hold up no other one", async () => {
    const providerId = crypto.randomUUID();
    const shared = quotaOf({ name: "app", limit: 3, windowMs: 100, scope: "provider" });
    const own = quotaOf({ name: "own", limit: 1, windowMs: 8000 });
    const slowTenant = callOf({ providerId, quotas: [shared, own], queueTimeoutMs: 9000 });
    const other = callOf({ providerId, quotas: [shared], queueTimeoutMs: 9000 });
    await use(slowTenant);
    const left = new AbortController();
    const stuck = admission.admit(another(slowTenant), left.signal);
    await untilWaiting(slowTenant, 1);
    for (let taken = 0; taken < 12; taken++) await use(other);
    left.abort(new Error("enough"));
    await expect(stuck).rejects.toThrow("enough");
  });
});

describe("admit() bounds what is under way", () => {
  test("admit() wakes the next call when one ends, without asking all the time", async () => {
    const call = callOf({
      quotas: [quotaOf({ limit: 1000 })],
      concurrency: 2,
      queueTimeoutMs: 60_000,
      deadlineMs: 60_000,
    });
    let running = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      const { lease } = admitted(await admission.admit(another(call)));
      most = Math.max(most, ++running);
      await Bun.sleep(10);
      running--;
      await admission.finish(lease, { outcome: "success" });
    };
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: 200 }, work));
    expect(most).toBe(2);
    // Without being woken two would find out after each half second: 50 s.
    expect(performance.now() - startedMs).toBeLessThan(40_000);
  });

  test("admit() bounds all tenants of a provider together", async () => {
    const providerId = crypto.randomUUID();
    const shared = { providerId, sharedConcurrency: 1, queueTimeoutMs: 20_000 };
    const [first, second] = [callOf(shared), callOf(shared)];
    const { lease } = admitted(await admission.admit(first));
    let isIn = false;
    const waiting = admission.admit(second).then((result) => {
      isIn = true;
      return admitted(result);
    });
    await untilWaiting(second, 1);
    expect(isIn).toBe(false);
    await admission.finish(lease, { outcome: "success" });
    await waiting;
  });

  test("finish() counts a call once, however often it comes", async () => {
    const call = callOf({ circuit: { failureThreshold: 2, successThreshold: 3, timeoutMs: 60_000 } });
    const { lease } = admitted(await admission.admit(call));
    for (let time = 0; time < 3; time++) {
      expect(await admission.finish(lease, { outcome: "failure" })).toMatchObject({
        state: "CLOSED",
        failureCount: 1,
      });
    }
  });
});

describe("finish() corrects", () => {
  const hour = quotaOf({ name: "hour", limit: 100, windowMs: 3_600_000 });
  const left = async (call: AdmissionCall): Promise<number> =>
    (await admission.look(call, call.quotas)).quotas[0]!.remaining;

  test("finish() takes the provider's lower count for a log and for sub-windows, until it is renewed", async () => {
    const takeLower = async (quota: typeof hour): Promise<void> => {
      const call = callOf({ quotas: [quota], queueTimeoutMs: 0 });
      const resetAtMs = Date.now() + 3_000;
      const reports = [{ quota: "hour", limit: quota.limit, remaining: 2, resetAtMs }];
      await use(call, { outcome: "success", reports });
      expect(await left(call)).toBe(2);
      await use(call);
      await use(call);
      expect(await admission.admit(another(call))).toMatchObject({ kind: "refused", code: "rate_limited" });
      await Bun.sleep(resetAtMs + 100 - Date.now());
      expect(await left(call)).toBe(quota.limit - 3);
    };
    await Promise.all([takeLower(hour), takeLower({ ...hour, limit: 5000 })]);
  });

  test.each([
    ["a log", hour],
    ["sub-windows", { ...hour, limit: 5000, weight: 1000 }],
  ])("finish() takes the provider's higher count for %s, and no more", async (_kind, quota) => {
    const call = callOf({ quotas: [quota] });
    for (let taken = 0; taken < 3; taken++) await use(call);
    const remaining = quota.limit - quota.weight;
    await use(call, { outcome: "success", reports: [{ quota: "hour", remaining }] });
    expect(await left(call)).toBe(remaining);
    await use(call, { outcome: "success", reports: [{ quota: "hour", remaining: quota.limit * 2 }] });
    expect(await left(call)).toBeLessThanOrEqual(quota.limit);
  });

  test("finish() frees nothing that calls under way or admitted since may be using", async () => {
    const call = callOf({ quotas: [hour] });
    const early = admitted(await admission.admit(another(call)));
    const asked = admitted(await admission.admit(another(call)));
    await Bun.sleep(2);
    for (let taken = 0; taken < 5; taken++) await use(call);
    const reports = [{ quota: "hour", remaining: 100 }];
    await admission.finish(asked.lease, { outcome: "success", reports });
    // 100 said, less five admitted since and one still under way.
    expect(await left(call)).toBeLessThanOrEqual(94);
    await admission.finish(early.lease, { outcome: "success", reports: [{ quota: "hour", remaining: 1 }] });
    // Its call was admitted before the one that was reported last: it knows less.
    expect(await left(call)).toBeGreaterThan(1);
  });

  test("finish() takes the limit that the provider reports, in both directions", async () => {
    const call = callOf({ quotas: [hour] });
    await use(call, { outcome: "success", reports: [{ quota: "hour", limit: 40 }] });
    expect(await left(call)).toBe(39);
    await use(call, { outcome: "success", reports: [{ quota: "hour", limit: 500 }] });
    expect(await left(call)).toBe(498);
  });

  test.each([Number.NaN, -5, Number.POSITIVE_INFINITY])("finish() survives a report of %p", async (value) => {
    const call = callOf({ quotas: [hour] });
    const reports = [{ quota: "hour", limit: value, remaining: value, resetAtMs: value }];
    await use(call, { outcome: "success", reports });
    expect(await left(call)).toBeLessThanOrEqual(99);
    await use(call, { outcome: "success", reports: [{ quota: "hour", limit: 100, remaining: 98 }] });
  });

  test("finish() holds all calls back for the provider's Retry-After", async () => {
    const call = callOf({ queueTimeoutMs: 30_000 });
    const { lease } = admitted(await admission.admit(call));
    await admission.finish(lease, { outcome: "success", retryAfterMs: 2_000 });
    expect(await admission.admit(another(call, { queueTimeoutMs: 100 }))).toMatchObject({
      kind: "refused",
      code: "rate_limited",
    });
    const next = admitted(await admission.admit(another(call)));
    expect(next.lease.admittedAtMs - lease.admittedAtMs).toBeGreaterThanOrEqual(2_000);
  });
});

describe("admit() without Redis", () => {
  test(
    "admit() refuses with 503, and admits again afterwards",
    async () => {
      const runtime = admissionRuntime(fixture.redis.url);
      const own = new Admission(runtime, SILENT);
      const call = callOf();
      const { lease } = admitted(await own.admit(call));
      await fixture.redis.kill();
      await expect(own.admit(another(call))).rejects.toMatchObject({ code: "unavailable", status: 503 });
      expect(await own.finish(lease, { outcome: "success" })).toBeUndefined();
      await fixture.redis.restart();
      for (;;) {
        const result = await own.admit(another(call)).catch(() => undefined);
        if (result?.kind === "go") break;
        await Bun.sleep(20);
      }
      await runtime.shutdown.run();
    },
    TIMEOUT_MS,
  );
});
