import { afterAll, beforeAll, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  type AdmissionFixture,
  admitted,
  another,
  callOf,
  fullestWindow,
  quotaOf,
  startAdmission,
} from "./admission-fixture.ts";
import { startCaller } from "./several-callers.ts";
import { checkFairness, checkPriorities, checkQuotas } from "./several-processes.ts";

const TIMEOUT_MS = 90_000;
/** What goes in a second; the long test, which is alone on its machine, allows none. */
const STRAY_MAX = 10;

let fixture: AdmissionFixture;
beforeAll(async () => {
  fixture = await startAdmission();
}, TIMEOUT_MS);
afterAll(() => fixture.stop(), TIMEOUT_MS);

const quotas = fc.array(
  fc.record({
    limit: fc.integer({ min: 1, max: 30 }),
    windowMs: fc.integer({ min: 60, max: 250 }),
    weight: fc.integer({ min: 0, max: 3 }),
    isLarge: fc.boolean(),
    scope: fc.constantFrom("integration" as const, "provider" as const, "token" as const),
  }),
  { minLength: 1, maxLength: 3 },
);

test(
  "admit() keeps any mix of quotas within a model of sliding windows",
  async () => {
    await fc.assert(
      fc.asyncProperty(
        quotas,
        fc.array(fc.integer({ min: 0, max: 25 }), { maxLength: 20 }),
        async (given, gaps) => {
          // Large limits are counted in sub-windows; their weight keeps the numbers small.
          const mixed = given.map(({ isLarge, limit, weight, ...quota }, index) => ({
            ...quota,
            name: `q${index}`,
            limit: isLarge ? limit * 1000 : limit,
            weight: isLarge ? weight * 1000 : Math.min(weight, limit),
          }));
          const call = callOf({ quotas: mixed, queueTimeoutMs: 20_000 });
          const results = [];
          for (const gap of gaps) {
            results.push(fixture.admission.admit(another(call)));
            if (gap > 0) await Bun.sleep(gap);
          }
          const times = (await Promise.all(results)).map((result) => admitted(result).lease.admittedAtMs);
          for (const { limit, windowMs, weight } of mixed) {
            if (times.length === 0) continue;
            expect(fullestWindow(times, windowMs) * Math.min(weight, limit)).toBeLessThanOrEqual(limit);
          }
        },
      ),
      { numRuns: 12 },
    );
  },
  TIMEOUT_MS,
);

// How much of them is used depends on the machine's other work too: measured alone by the long test.
test(
  "four processes never exceed 10 a second, 100 a minute and 1,200 an hour, and use them",
  () => checkQuotas(fixture.redis.url, { durationMs: 6_000, hourly: 1_200, usedMin: 0.25 }),
  TIMEOUT_MS,
);

test(
  "80 calls at once from four processes go by priority, and none is lost",
  () => checkPriorities(fixture.redis.url, 80, STRAY_MAX),
  TIMEOUT_MS,
);

test(
  "two tenants of a shared quota take turns over four processes",
  () => checkFairness(fixture.redis.url, 10, STRAY_MAX),
  TIMEOUT_MS,
);

test(
  "a process that is killed while its calls wait holds up nobody",
  async () => {
    const call = callOf({
      quotas: [quotaOf({ limit: 100, windowMs: 2_000, weight: 10 })],
      queueTimeoutMs: 60_000,
      deadlineMs: 60_000,
    });
    const caller = await startCaller({
      redisUrl: fixture.redis.url,
      burst: { calls: Array.from({ length: 200 }, () => call), retryForMs: 0 },
    });
    caller.start();
    while ((await fixture.admission.look(call, call.quotas)).waiting < 100) await Bun.sleep(5);
    await caller.kill();
    const results = await Promise.all(
      Array.from({ length: 15 }, () => fixture.admission.admit(another(call, { queueTimeoutMs: 15_000 }))),
    );
    // In turn behind a hundred places of the dead process they would have had to wait for twenty seconds.
    expect(results.filter(({ kind }) => kind === "go").length).toBe(15);
  },
  TIMEOUT_MS,
);
