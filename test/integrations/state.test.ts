import { describe, expect, test } from "bun:test";
import { causeOfTest } from "../../src/domain/integrations/save-test.ts";
import {
  connectionEvent,
  type IntegrationStatus,
  nextStatus,
  type StatusCause,
  TRANSITIONS,
} from "../../src/domain/integrations/state.ts";

const STATUSES: IntegrationStatus[] = ["ACTIVE", "PAUSED", "ERROR", "PENDING_AUTH"];
const CAUSES: StatusCause[] = [
  "test_passed",
  "test_failed",
  "authorization_needed",
  "authorized",
  "authorization_lost",
  "call_succeeded",
  "connection_lost",
  "enabled",
  "disabled",
];

describe("nextStatus()", () => {
  test("PAUSED is left by enabling alone", () => {
    for (const cause of CAUSES)
      expect([cause, nextStatus("PAUSED", cause)]).toEqual([
        cause,
        cause === "enabled" ? "ACTIVE" : "PAUSED",
      ]);
  });

  test("disabling leads to PAUSED from everywhere, and every status leads back to ACTIVE", () => {
    for (const status of STATUSES) {
      expect(nextStatus(status, "disabled")).toBe("PAUSED");
      expect(nextStatus(status, "enabled")).toBe("ACTIVE");
    }
  });

  test("PENDING_AUTH is not left by a call, and a new integration begins in one of four ways", () => {
    expect(nextStatus("PENDING_AUTH", "call_succeeded")).toBe("PENDING_AUTH");
    expect(Object.values(TRANSITIONS.NEW).toSorted()).toEqual(["ACTIVE", "ERROR", "PAUSED", "PENDING_AUTH"]);
    expect(() => nextStatus("NEW", "call_succeeded")).toThrow("No integration begins");
  });

  test("connectionEvent() tells of ACTIVE being reached, and left for ERROR or PENDING_AUTH", () => {
    const table = (["NEW", ...STATUSES] as const).map((from) =>
      STATUSES.map((to) => connectionEvent(from, to)),
    );
    const [up, down] = ["integration.connected", "integration.disconnected"] as const;
    expect(table).toEqual([
      [up, undefined, undefined, undefined],
      [undefined, undefined, down, down],
      [up, undefined, undefined, undefined],
      [up, undefined, undefined, undefined],
      [up, undefined, undefined, undefined],
    ]);
  });
});

describe("causeOfTest()", () => {
  const passedBefore = { status: "ACTIVE", lastTest: null } as const;

  test("a limit that was met changes nothing: the credential works", () => {
    for (const purpose of ["asked", "idle", "enable"] as const)
      expect(causeOfTest(purpose, { passed: false, kind: "limit" }, passedBefore)).toBeUndefined();
  });

  test("one outage leaves ACTIVE alone, a wrong credential does not", () => {
    expect(causeOfTest("idle", { passed: false, kind: "outage" }, passedBefore)).toBeUndefined();
    expect(causeOfTest("idle", { passed: false, kind: "auth" }, passedBefore)).toBe("connection_lost");
    expect(causeOfTest("asked", { passed: false, kind: "auth" }, passedBefore)).toBe("test_failed");
  });
});
