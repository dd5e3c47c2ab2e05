import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  afterAsking,
  afterCall,
  type Breaker,
  CLOSED_BREAKER,
  nextCallAtMs,
  type Outcome,
  outcomeOf,
} from "../../src/domain/circuit-breaker/breaker-state.ts";
import type { AdmissionLease } from "../../src/domain/rate-limit/admission-call.ts";
import { admissionKeys } from "../../src/platform/redis/keys.ts";
import {
  type AdmissionFixture,
  another,
  callOf,
  quotaOf,
  startAdmission,
} from "../rate-limit/admission-fixture.ts";

const TIMEOUT_MS = 60_000;
const SETTINGS = { failureThreshold: 5, successThreshold: 3, timeoutMs: 60_000 };
const LEASE_MS = 5_000;

/** Ends calls one after the other, each admitted as the circuit then says. */
function play(outcomes: readonly Outcome[], breaker: Breaker = CLOSED_BREAKER, nowMs = 1000): Breaker {
  return outcomes.reduce((state, outcome) => {
    const { breaker: asked, verdict } = afterAsking(state, SETTINGS, nowMs, LEASE_MS);
    return verdict === "refused"
      ? asked
      : afterCall(asked, SETTINGS, { outcome, isProbe: verdict === "probe" }, nowMs);
  }, breaker);
}

const times = (count: number, outcome: Outcome): Outcome[] => Array.from({ length: count }, () => outcome);

describe("the circuit's state machine", () => {
  test("opens with the fifth consecutive failure, not before", () => {
    expect(play(times(4, "failure")).state).toBe("CLOSED");
    expect(play(times(5, "failure"))).toMatchObject({ state: "OPEN", failureCount: 5, openedAtMs: 1000 });
    expect(play([...times(4, "failure"), "success", ...times(4, "failure")]).state).toBe("CLOSED");
    expect(play([...times(4, "failure"), "none", "failure"]).state).toBe("OPEN");
  });

  test("lets nothing go for 60 s, then one probe at a time", () => {
    const open = play(times(5, "failure"));
    expect(nextCallAtMs(open, SETTINGS.timeoutMs)).toBe(61_000);
    expect(afterAsking(open, SETTINGS, 60_999, LEASE_MS).verdict).toBe("refused");
    const probed = afterAsking(open, SETTINGS, 61_000, LEASE_MS);
    expect(probed).toMatchObject({ verdict: "probe", breaker: { state: "HALF_OPEN" } });
    expect(afterAsking(probed.breaker, SETTINGS, 61_001, LEASE_MS).verdict).toBe("refused");
    // A dead prober: its lease ends.
    expect(afterAsking(probed.breaker, SETTINGS, 61_000 + LEASE_MS, LEASE_MS).verdict).toBe("probe");
  });

  test("closes with the third successful probe, and opens with the first failed one", () => {
    const open = play(times(5, "failure"));
    expect(play(times(2, "success"), open, 61_000)).toMatchObject({ state: "HALF_OPEN", successCount: 2 });
    expect(play(times(3, "success"), open, 61_000)).toMatchObject({ state: "CLOSED", failureCount: 0 });
    expect(play(["success", "failure"], open, 61_000)).toMatchObject({ state: "OPEN", openedAtMs: 61_000 });
  });

  test("hears nothing from calls of before it opened", () => {
    const open = play(times(5, "failure"));
    const halfOpen = afterAsking(open, SETTINGS, 61_000, LEASE_MS).breaker;
    for (const outcome of ["success", "failure"] as const) {
      expect(afterCall(open, SETTINGS, { outcome, isProbe: false }, 2000)).toEqual(open);
      expect(afterCall(halfOpen, SETTINGS, { outcome, isProbe: false }, 61_001)).toEqual(halfOpen);
    }
  });

  test("outcomeOf() counts 5xx, timeouts and broken connections, never 4xx or 429", () => {
    for (const status of [500, 502, 503, 504, 599]) expect(outcomeOf({ status })).toBe("failure");
    for (const status of [200, 204, 301, 400, 401, 404, 409, 422, 429])
      expect(outcomeOf({ status })).toBe("success");
    for (const error of ["timeout", "connection"] as const) expect(outcomeOf({ error })).toBe("failure");
    for (const error of ["cancelled", "unsent"] as const) expect(outcomeOf({ error })).toBe("none");
  });
});

describe("admit() and finish()", () => {
  let fixture: AdmissionFixture;
  beforeAll(async () => {
    fixture = await startAdmission();
  }, TIMEOUT_MS);
  afterAll(() => fixture.stop(), TIMEOUT_MS);

  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant({ ask: true as const }) },
    {
      weight: 5,
      arbitrary: fc.record({
        end: fc.nat(5),
        outcome: fc.constantFrom<Outcome>("failure", "failure", "failure", "success", "success", "none"),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ timePasses: true as const }) },
  );

  test(
    "admit() and finish() move a circuit in Redis exactly as the state machine does",
    async () => {
      const settings = { failureThreshold: 3, successThreshold: 2, timeoutMs: 3_600_000 };
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
          const call = callOf({ quotas: [quotaOf({ limit: 1000 })], circuit: settings, queueTimeoutMs: 0 });
          const { state: key } = admissionKeys(call);
          const open: AdmissionLease[] = [];
          let model = CLOSED_BREAKER;
          let probe: AdmissionLease | undefined;
          let nowMs = 1_000_000_000;
          for (const each of steps) {
            if ("timePasses" in each) {
              // Both clocks go on past the timeout and the probe's lease.
              nowMs += settings.timeoutMs * 2;
              await fixture.runtime.redis.hset(key, "o", "1", "pu", "1");
            } else if ("ask" in each) {
              const asked = afterAsking(model, settings, nowMs, LEASE_MS);
              const result = await fixture.admission.admit(another(call));
              expect(result.kind === "go" ? (result.isProbe ? "probe" : "go") : "refused").toBe(
                asked.verdict,
              );
              model = asked.breaker;
              if (result.kind === "go") open.push(result.lease);
              if (result.kind === "go" && result.isProbe) probe = result.lease;
            } else {
              const [lease] = open.splice(each.end, 1);
              if (lease === undefined) continue;
              const isProbe = lease === probe;
              model = afterCall(model, settings, { outcome: each.outcome, isProbe }, nowMs);
              const { state, failureCount, successCount } = model;
              expect(await fixture.admission.finish(lease, { outcome: each.outcome })).toMatchObject({
                state,
                failureCount,
                successCount,
              });
              if (isProbe) probe = undefined;
            }
          }
        }),
        { numRuns: 150 },
      );
    },
    TIMEOUT_MS,
  );

  test("admit() says when an open circuit may be tried, and keeps waiting calls from going", async () => {
    const circuit = { failureThreshold: 1, successThreshold: 1, timeoutMs: 30_000 };
    const call = callOf({ circuit, quotas: [quotaOf({ limit: 2, windowMs: 300 })] });
    const first = await fixture.admission.admit(call);
    const second = await fixture.admission.admit(another(call));
    const waiting = fixture.admission.admit(another(call));
    if (first.kind !== "go" || second.kind !== "go") throw new Error("the quota allows two");
    await fixture.admission.finish(first.lease, { outcome: "failure" });
    const refused = await waiting;
    expect(refused).toMatchObject({ kind: "refused", code: "circuit_open" });
    expect((refused as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(25_000);
    expect(await fixture.admission.finish(second.lease, { outcome: "success" })).toMatchObject({
      state: "OPEN",
    });
  });
});
