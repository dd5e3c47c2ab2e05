import { describe, expect, test } from "bun:test";
import type { HandlerType } from "../../src/domain/inbound/models/validate-model.ts";
import { validateModel } from "../../src/domain/inbound/models/validate-model.ts";

const status = {
  loadId: "L-100482",
  referenceNumbers: [{ type: "BOL", value: "BOL-77120" }],
  status: "DEPARTED_PICKUP",
  reasonCode: "NS",
  eventTime: "2026-03-14T09:26:53-05:00",
  stop: {
    sequence: 1,
    type: "PICKUP",
    address: { city: "Dallas", region: "TX", country: "US", latitude: 32.7 },
  },
  location: { latitude: 32.7767, longitude: -96.797 },
  carrier: { scac: "SNLU", dotNumber: "264184" },
  equipment: { trailerNumber: "53-1182", type: "REEFER" },
  somethingNew: { kept: true },
};

const tracking = {
  vehicleId: "T-17",
  eld: { provider: "motive", dutyStatus: "DRIVING", driveSecondsRemaining: 14_400 },
  positions: [
    {
      latitude: 40.1,
      longitude: -88.2,
      recordedAt: "2026-03-14T14:00:00Z",
      speedKph: 96.5,
      headingDegrees: 270,
    },
  ],
};

const invoice = {
  invoiceNumber: "INV-9001",
  issueDate: "2026-02-28",
  dueDate: "2026-03-30",
  currency: "USD",
  terms: { netDays: 30 },
  billTo: { name: "Acme Shipping" },
  lines: [{ lineNumber: 1, description: "Dallas to Chicago", amount: "1850.00", loadId: "L-100482" }],
  charges: [{ type: "FUEL_SURCHARGE", amount: "212.40" }],
  total: "2062.40",
};

const faults = (handlerType: HandlerType, value: unknown): Record<string, string> => {
  const check = validateModel(handlerType, value);
  return check.ok ? {} : Object.fromEntries(check.errors.map((error) => [error.path, error.message]));
};

describe("validateModel()", () => {
  test("accepts a full document of each model, with members that it does not name", () => {
    expect(validateModel("LOAD_STATUS", status)).toEqual({ ok: true });
    expect(validateModel("TRACKING", tracking)).toEqual({ ok: true });
    expect(validateModel("INVOICE", invoice)).toEqual({ ok: true });
  });

  test("lets CUSTOM pass, whatever it is", () => {
    for (const value of [null, 1, "text", [], { a: 1 }])
      expect(validateModel("CUSTOM", value)).toEqual({ ok: true });
  });

  test("says what is missing, where, and with an example", () => {
    const { eventTime: _eventTime, ...without } = status;
    expect(faults("LOAD_STATUS", without)).toEqual({
      "/eventTime": expect.stringMatching(
        /^is required \(.*RFC 3339.*for example "2026-03-14T09:26:53-05:00"$/,
      ),
    });
  });

  test("names the words that are allowed", () => {
    expect(faults("LOAD_STATUS", { ...status, status: "departed" })["/status"]).toMatch(
      /^must be one of TENDERED, BOOKED, .*CANCELLED$/,
    );
  });

  test("refuses coordinates, times, amounts and codes out of form", () => {
    const [position] = tracking.positions;
    expect(
      Object.keys(faults("TRACKING", { ...tracking, positions: [{ ...position, latitude: 91 }] })),
    ).toEqual(["/positions/0/latitude"]);
    expect(Object.keys(faults("TRACKING", { ...tracking, positions: [] }))).toEqual(["/positions"]);
    for (const eventTime of ["2026-03-14", "2026-03-14T09:26:53", "2026-13-01T00:00:00Z", "yesterday", 5]) {
      expect(Object.keys(faults("LOAD_STATUS", { ...status, eventTime }))).toEqual(["/eventTime"]);
    }
    for (const total of ["1,850.00", "1e3", "", 1850, "NaN", "1.23456"]) {
      expect(Object.keys(faults("INVOICE", { ...invoice, total }))).toEqual(["/total"]);
    }
    expect(Object.keys(faults("INVOICE", { ...invoice, currency: "usd" }))).toEqual(["/currency"]);
  });

  test("refuses days that the calendar does not have", () => {
    expect(faults("INVOICE", { ...invoice, issueDate: "2026-02-29" })).toEqual({
      "/issueDate": "is no day of the calendar",
    });
    expect(faults("INVOICE", { ...invoice, issueDate: "2028-02-29" })).toEqual({});
    const positions = [{ ...tracking.positions[0], recordedAt: "2026-04-31T00:00:00Z" }];
    expect(Object.keys(faults("TRACKING", { ...tracking, positions }))).toEqual(["/positions/0/recordedAt"]);
  });

  test("reports at most 20 faults, and quotes no value", () => {
    const lines = Array.from({ length: 50 }, () => ({ amount: "canary-value" }));
    const check = validateModel("INVOICE", { ...invoice, lines });
    if (check.ok) throw new Error("accepted");
    expect(check.errors.length).toBe(20);
    expect(JSON.stringify(check.errors)).not.toContain("canary");
  });

  test("refuses what is no object, for every model", () => {
    for (const value of [undefined, null, 1, "x", [], [status]]) {
      for (const model of ["LOAD_STATUS", "TRACKING", "INVOICE"] as const) {
        expect(validateModel(model, value).ok).toBe(false);
      }
    }
    const hostile = JSON.parse(
      '{"__proto__":{"loadId":"L","status":"BOOKED","eventTime":"2026-03-14T09:26:53Z"}}',
    ) as unknown;
    expect(validateModel("LOAD_STATUS", hostile).ok).toBe(false);
  });
});
