import { describe, expect, test } from "bun:test";
import { decodeMember, deliveryIdOf, encodeMember } from "../../src/domain/deliveries/delivery-id.ts";
import { HostCircuits } from "../../src/domain/deliveries/host-circuits.ts";
import { Lane } from "../../src/domain/deliveries/lane.ts";
import { nextState } from "../../src/domain/deliveries/next-state.ts";
import { isUuid, newId } from "../../src/platform/uuid.ts";

const policy = { retryEnabled: true, maxRetries: 5, retryIntervalsSeconds: [60, 300, 900, 3600, 7200] };
const failed = { kind: "failed", retryable: true } as const;

describe("nextState()", () => {
  test("repeats at 1 m, 5 m, 15 m, 1 h and 2 h, within a tenth, and fails after the sixth attempt", () => {
    const seconds = [1, 2, 3, 4, 5, 6].map((attempt) => {
      const next = nextState(failed, attempt, policy, 0, 0.5);
      return next.status === "RETRYING" ? next.nextRetryAtMs / 1000 : next.status;
    });
    expect(seconds).toEqual([60, 300, 900, 3600, 7200, "FAILED"]);
    expect(nextState(failed, 1, policy, 0, 0)).toMatchObject({ nextRetryAtMs: 54_000 });
    expect(nextState(failed, 1, policy, 0, 1)).toMatchObject({ nextRetryAtMs: 66_000 });
  });

  test("repeats the last interval for as many retries as are asked for", () => {
    const many = { ...policy, maxRetries: 20, retryIntervalsSeconds: [1, 5] };
    expect(nextState(failed, 20, many, 0, 0.5)).toEqual({ status: "RETRYING", nextRetryAtMs: 5_000 });
    expect(nextState(failed, 21, many, 0, 0.5)).toEqual({ status: "FAILED" });
  });

  test("lets Retry-After lengthen an interval up to 24 h, never shorten it", () => {
    const asking = (retryAfterMs: number) =>
      nextState({ ...failed, retryAfterMs }, 1, policy, 0, 0.5) as { nextRetryAtMs: number };
    expect(asking(1_000).nextRetryAtMs).toBe(60_000);
    expect(asking(600_000).nextRetryAtMs).toBe(600_000);
    expect(asking(864_000_000).nextRetryAtMs).toBe(86_400_000);
  });

  test("does not repeat what cannot pass, or where retries are off", () => {
    expect(nextState({ kind: "failed", retryable: false }, 1, policy, 0, 0.5)).toEqual({ status: "FAILED" });
    expect(nextState(failed, 1, { ...policy, retryEnabled: false }, 0, 0.5)).toEqual({ status: "FAILED" });
  });
});

describe("deliveryIdOf()", () => {
  test("gives the same id to the same event, subscription and replay, and another to any other", () => {
    const [eventId, subscriptionId, replayId] = [newId(), newId(), newId()];
    const id = deliveryIdOf({ eventId, subscriptionId });
    expect(isUuid(id)).toBe(true);
    expect(id[14]).toBe("5");
    expect(deliveryIdOf({ eventId, subscriptionId })).toBe(id);
    expect(deliveryIdOf({ eventId, subscriptionId, replayId })).not.toBe(id);
    expect(deliveryIdOf({ eventId: subscriptionId, subscriptionId: eventId })).not.toBe(id);
  });

  test("its queue member comes back as it was", () => {
    const name = { eventId: newId(), eventCreatedAtMs: Date.now(), replayId: newId() };
    expect(decodeMember(encodeMember(name))).toEqual(name);
    const { replayId: _none, ...first } = name;
    expect(decodeMember(encodeMember(first))).toEqual(first);
  });
});

describe("HostCircuits", () => {
  test("open after failures of the path in a row, try once after a pause, and close with one success", () => {
    const circuits = new HostCircuits({ failureThreshold: 3, timeoutSeconds: 60 });
    for (let count = 0; count < 3; count++) {
      expect(circuits.waitMs("https://a", 0)).toBe(0);
      circuits.end("https://a", false, 0);
    }
    expect(circuits.waitMs("https://a", 0)).toBe(1_000);
    expect(circuits.waitMs("https://b", 0)).toBe(0);
    expect(circuits.waitMs("https://a", 1_000)).toBe(0);
    expect(circuits.waitMs("https://a", 1_000)).toBeGreaterThan(0);
    circuits.end("https://a", false, 1_000);
    expect(circuits.waitMs("https://a", 1_000)).toBe(2_000);
    expect(circuits.waitMs("https://a", 3_000)).toBe(0);
    circuits.end("https://a", true, 3_000);
    expect(circuits.waitMs("https://a", 3_000)).toBe(0);
    expect(circuits.openCount(3_000)).toBe(0);
  });
});

describe("Lane.rateWaitMs()", () => {
  test("begins without a burst, and then allows the limit in any window", () => {
    const lane = new Lane(newId(), newId(), undefined as never);
    const limit = { limit: 10, windowSeconds: 1, burst: 5 };
    let sent = 0;
    for (let nowMs = 0; nowMs < 10_000; nowMs++) if (lane.rateWaitMs(limit, nowMs) === 0) sent++;
    expect(sent).toBeGreaterThanOrEqual(99);
    expect(sent).toBeLessThanOrEqual(101);
    let burst = 0;
    while (lane.rateWaitMs(limit, 20_000) === 0) burst++;
    expect(burst).toBe(5);
  });

  test("does not wait by a rate that was changed meanwhile, and begins the new one without a burst", () => {
    const lane = new Lane(newId(), newId(), undefined as never);
    const hourly = { limit: 1, windowSeconds: 3600 };
    expect(lane.rateWaitMs(hourly, 0)).toBe(0);
    expect(lane.rateWaitMs({ ...hourly }, 1_000)).toBe(3_599_000);
    const faster = { limit: 10, windowSeconds: 1 };
    expect([lane.rateWaitMs(faster, 1_000), lane.rateWaitMs(faster, 1_000)]).toEqual([0, 100]);
    expect([lane.rateWaitMs(hourly, 1_000), lane.rateWaitMs(hourly, 1_000)]).toEqual([0, 3_600_000]);
  });
});
