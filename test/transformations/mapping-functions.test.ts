import { describe, expect, test } from "bun:test";
import { ExactNumber } from "../../src/platform/formats/document.ts";
import currencies from "../../src/domain/transformations/mapping/freight/currencies.json";
import timeZones from "../../src/domain/transformations/mapping/freight/time-zones.json";
import { LOAD_STATUS_CODES } from "../../src/domain/inbound/models/load-status.ts";
import {
  compileMapping,
  MappingRulesError,
} from "../../src/domain/transformations/mapping/compile-mapping.ts";
import { FUNCTIONS } from "../../src/domain/transformations/mapping/functions/library.ts";
import type { MapResult } from "../../src/domain/transformations/mapping/mapping-result.ts";
import type { MappingExpression } from "../../src/domain/transformations/mapping/rules.ts";
import { LIBRARY_TABLES } from "../../src/domain/transformations/mapping/tables.ts";
import { findTimeZone } from "../../src/domain/transformations/mapping/time-zone.ts";

const NOW_MS = Date.UTC(2026, 2, 8, 12, 0, 0);

/** Value of a call; `MISSING` where it gives none, the message where it is a fault. Arguments are constants. */
const MISSING = "(missing)";
function call(name: string, ...args: unknown[]): unknown {
  const from: MappingExpression = {
    call: name,
    args: args.map((arg) => (arg === MISSING ? "nowhere" : { value: arg })),
  };
  return evaluate(from, {});
}

function evaluate(from: MappingExpression, document: unknown): unknown {
  const result = run(from, document);
  if (result instanceof Promise) throw new Error("Not expected to wait");
  if (!result.ok) return `fault: ${result.faults[0]?.message}`;
  const { out } = result.document as { out?: unknown };
  return out === undefined ? MISSING : out;
}

function run(from: MappingExpression, document: unknown): MapResult | Promise<MapResult> {
  try {
    return compileMapping({ rules: [{ target: "out", from }] }).run(document, { nowMs: NOW_MS });
  } catch (error) {
    // A constant that a function cannot use is refused before there is a document.
    if (error instanceof MappingRulesError) return { ok: false, faults: [...error.faults], retryable: false };
    throw error;
  }
}

/** The same with the arguments read from the document, as texts and values that are not known when compiling. */
function callOn(name: string, document: Record<string, unknown>, ...args: MappingExpression[]): unknown {
  return evaluate({ call: name, args }, document);
}

type Case = [name: string, args: unknown[], expected: unknown];

function check(cases: readonly Case[]): void {
  for (const [name, args, expected] of cases)
    expect([name, args, call(name, ...args)]).toEqual([name, args, expected]);
}

describe("functions of texts", () => {
  test("change, cut, fill and take apart", () => {
    check([
      ["upper", ["straße"], "STRASSE"],
      ["lower", ["ÀB"], "àb"],
      ["titleCase", ["SAN JOSE, new-york"], "San Jose, New-York"],
      ["trim", ["  a b\n"], "a b"],
      ["collapse", [" a \n\t b  "], "a b"],
      ["digits", ["(555) 010-0"], "5550100"],
      ["ascii", ["Orán–Ñandú"], "OranNandu"],
      ["length", ["😂é"], 2],
      ["text", [1.5], "1.5"],
      ["text", [-0], "0"],
      ["text", [true], "true"],
      ["substring", ["abcdef", 2], "cdef"],
      ["substring", ["abcdef", -2], "ef"],
      ["substring", ["abcdef", 1, 3], "bcd"],
      ["substring", ["a😂b", 1, 1], "😂"],
      ["substring", ["abc", -9, 2], "ab"],
      ["substring", ["abc", 9], ""],
      ["padStart", ["7", 3, "0"], "007"],
      ["padStart", [7, 3, "0"], "007"],
      ["padEnd", ["ab", 4], "ab  "],
      ["padEnd", ["abc", 2, "x"], "abc"],
      ["replace", ["a.b.c", ".", "$&"], "a$&b$&c"],
      ["replace", ["abc", "", "x"], "abc"],
      ["replacePattern", ["a1b22", "[0-9]+", "<$&>"], "a<1>b<22>"],
      ["replacePattern", ["Doe, John", "(\\w+), (\\w+)", "$2 $1"], "John Doe"],
      ["extract", ["PRO# 12345 x", "PRO#\\s*(\\d+)"], "12345"],
      ["extract", ["abc", "\\d+"], MISSING],
      ["extract", ["ab-12", "([a-z]+)-(\\d+)", 2], "12"],
      ["extract", ["ab-12", "[a-z]+-(?:\\d+)"], "ab-12"],
      ["matches", ["75226-0001", "^\\d{5}(-\\d{4})?$"], true],
      ["split", ["a|b||c", "|"], ["a", "b", "", "c"]],
      ["split", ["", ","], []],
      ["contains", ["abc", "bc"], true],
      ["startsWith", ["abc", "b"], false],
      ["endsWith", ["abc", "c"], true],
    ]);
  });

  test("pass on what is missing or null, and refuse lists and objects", () => {
    expect(call("upper", MISSING)).toBe(MISSING);
    expect(call("upper", null)).toBeNull();
    expect(callOn("upper", { a: [1] }, "a")).toBe("fault: upper: text must be a text, not a list");
    expect(callOn("upper", { a: {} }, "a")).toBe("fault: upper: text must be a text, not an object");
    expect(callOn("upper", { a: new ExactNumber("12345678901234567890") }, "a")).toBe("12345678901234567890");
    expect(callOn("padStart", { a: "x", n: "1.5" }, "a", "n")).toContain("a whole number");
  });

  test("search in linear time", () => {
    const document = { s: `${"a".repeat(60)}!`, long: "a".repeat(200_000) };
    expect(evaluate({ call: "matches", args: ["s", { value: "^(?:(a+)+c|.*)$" }] }, document)).toBe(true);
    expect(evaluate({ call: "matches", args: ["long", { value: "(a+)+c" }] }, document)).toBe(false);
    expect(
      evaluate(
        { call: "matches", args: [{ call: "padEnd", args: ["s", 300_000] }, { value: "x" }] },
        document,
      ),
    ).toContain("cannot be searched");
  });

  test("make no text beyond the largest document", () => {
    expect(callOn("padEnd", { a: "x" }, "a", { value: 2_000_000 })).toContain("more than 1048576 characters");
    const long = "x".repeat(600_000);
    expect(callOn("replace", { long }, "long", { value: "x" }, { value: "yyy" })).toContain("more than");
    expect(evaluate({ concat: ["long", "long"] }, { long })).toContain("more than");
  });
});

describe("functions of numbers", () => {
  test("are exact", () => {
    check([
      ["add", [0.1, 0.2], 0.3],
      ["add", ["0.10", "0.20", 0.3], 0.6],
      ["add", [9007199254740991, 1], 9007199254740992],
      ["subtract", [0.3, 0.1], 0.2],
      ["subtract", [1, 2, 3], -4],
      ["subtract", [5, 5], 0],
      ["multiply", ["1.15", "100"], 115],
      ["multiply", [-1, 0], 0],
      ["divide", [10, 3, 2], 3.33],
      ["divide", [-10, 3, 2], -3.33],
      ["divide", [2, 3], 0.6666666667],
      ["divide", [1, 0], "fault: cannot divide by zero"],
      ["sum", [[0.1, "0.2", 0.3]], 0.6],
      ["sum", [[]], 0],
      ["sum", [[1, null, ""]], 1],
      ["min", [[3, "1.5", 2]], 1.5],
      ["max", [[]], MISSING],
      ["max", [[-1, -3]], -1],
      ["average", [[1, 2]], 1.5],
      ["abs", ["-3.20"], 3.2],
      ["negate", [0], 0],
    ]);
    expect(callOn("add", { a: new ExactNumber("12345678901234567890") }, "a", 1)).toEqual(
      new ExactNumber("12345678901234567891"),
    );
    expect(Object.is(call("multiply", -1, 0), 0)).toBe(true);
    expect(Object.is(callOn("abs", { a: -0 }, "a"), 0)).toBe(true);
    expect(Object.is(call("round", -0.4), 0)).toBe(true);
  });

  test("round as commerce does, or as told", () => {
    check([
      ["round", [2.345, 2], 2.35],
      ["round", [-2.345, 2], -2.35],
      ["round", [1.005, 2], 1.01],
      ["round", [2.5], 3],
      ["round", [2.5, 0, "half_even"], 2],
      ["round", [3.5, 0, "half_even"], 4],
      ["round", [-2.1, 0, "floor"], -3],
      ["round", [-2.1, 0, "ceiling"], -2],
      ["round", [2.01, 1, "up"], 2.1],
      ["round", [2.09, 1, "down"], 2],
      ["round", [1250, -2], 1300],
      ["round", ["1e3"], 1000],
    ]);
    expect(call("round", 1, 0, "sideways")).toContain("one of half_up");
  });

  test("read and write other countries' numbers", () => {
    check([
      ["number", ["1.250,75", ",", "."], 1250.75],
      ["number", ["1,250.75", ".", ","], 1250.75],
      ["number", [" 007 "], 7],
      ["number", [".5"], 0.5],
      ["number", ["-0"], 0],
      ["number", [""], MISSING],
      ["number", ["12x"], 'fault: "12x" is no number'],
      ["number", ["1.5", ","], 'fault: "1.5" is no number'],
      ["formatNumber", [1250.5, 2], "1250.50"],
      ["formatNumber", ["1234567.891", 2, ",", "."], "1.234.567,89"],
      ["formatNumber", [-1234.5, 1, ".", ","], "-1,234.5"],
      ["formatNumber", [0.005, 2], "0.01"],
      ["formatNumber", [-0.001, 2], "0.00"],
      ["impliedDecimal", ["125050", 2], 1250.5],
      ["toImpliedDecimal", [1250.5, 2], "125050"],
      ["toImpliedDecimal", ["0.005", 2], "1"],
    ]);
  });

  test("know the places of currencies", () => {
    check([
      ["money", [12.5, "USD"], "12.50"],
      ["money", ["1250", "JPY"], "1250"],
      ["money", [1.2345, "KWD"], "1.235"],
      ["roundMoney", [12.345, "EUR"], 12.35],
      ["toMinorUnits", ["12.50", "USD"], 1250],
      ["toMinorUnits", [12, "JPY"], 12],
      ["fromMinorUnits", [1250, "USD"], 12.5],
      ["exchange", ["100.00", "1.0837", "EUR"], 108.37],
      ["money", [1, "XYZ"], 'fault: "XYZ" is no currency of ISO 4217'],
      ["isCurrency", ["CAD"], true],
      ["isCurrency", ["constructor"], false],
    ]);
    expect(Object.keys(currencies.minorUnits).filter((code) => !/^[A-Z]{3}$/.test(code))).toEqual([]);
    const known = new Set(Intl.supportedValuesOf("currency"));
    const own = Object.keys(currencies.minorUnits).filter((code) => !known.has(code));
    // Younger than the engine's tables, at most.
    expect(own.length).toBeLessThan(5);
  });

  test("refuse numbers whose arithmetic would only cost time", () => {
    expect(call("add", "1e999", 1)).toContain("must be a number");
    expect(callOn("multiply", { a: new ExactNumber(`1${"0".repeat(500)}`) }, "a", 2)).toContain("too large");
    expect(call("multiply", "9".repeat(300), "9".repeat(300))).toContain("more than 400 digits");
    expect(call("add", "0x10", 1)).toContain("must be a number");
    expect(call("add", "", 1)).toContain("must be a number");
  });
});

describe("functions of dates", () => {
  test("read formats, with the offset of a place", () => {
    check([
      ["parseDate", ["20260314", "yyyyMMdd"], "2026-03-14"],
      ["parseDate", ["03/14/2026 9:05 PM", "MM/dd/yyyy h:mm a"], "2026-03-14T21:05:00"],
      ["parseDate", ["12:00 AM", "hh:mm a"], "1970-01-01T00:00:00"],
      ["parseDate", ["202603140926", "yyyyMMddHHmm", "America/Chicago"], "2026-03-14T09:26:00-05:00"],
      ["parseDate", ["20260114", ["yyyyMMddHHmm", "yyyyMMdd"], "America/Chicago"], "2026-01-14"],
      ["parseDate", ["14-Mar-26", "dd-MMM-yy"], "2026-03-14"],
      ["parseDate", ["Mon, 5 January 1998", "EEE, d MMMM yyyy"], "1998-01-05"],
      [
        "parseDate",
        ["2026-03-14T09:26:53.125+0530", "yyyy-MM-dd'T'HH:mm:ss.SSSXX"],
        "2026-03-14T09:26:53.125+05:30",
      ],
      ["parseDate", ["2026031424", "yyyyMMddHH"], "2026-03-15T00:00:00"],
      ["parseDate", [" ", "yyyyMMdd"], MISSING],
      ["parseDate", ["20260230", "yyyyMMdd"], "fault: no such date or time exists"],
      ["parseDate", ["20250229", "yyyyMMdd"], "fault: no such date or time exists"],
      ["parseDate", ["2026-3-14", "yyyyMMdd"], 'fault: "2026-3-14" is no date in the format "yyyyMMdd"'],
      ["parseDate", ["202603149", "yyyyMMdd"], 'fault: "202603149" is no date in the format "yyyyMMdd"'],
    ]);
    expect(call("parseDate", "20260314", "yyyyMMdd", "Mars/Base")).toContain("no time zone");
    expect(call("parseDate", "20260314", "YYYYMMDD")).toContain("no field of a date format");
  });

  test("know times that clocks skip and times that they show twice", () => {
    const zone = "America/Chicago";
    const at = (text: string, change?: string) =>
      call("parseDate", text, "yyyy-MM-dd HH:mm", zone, ...(change === undefined ? [] : [change]));
    expect(at("2026-03-08 01:59")).toBe("2026-03-08T01:59:00-06:00");
    expect(at("2026-03-08 02:30")).toBe("2026-03-08T03:30:00-05:00");
    expect(at("2026-03-08 02:30", "earlier")).toBe("2026-03-08T01:30:00-06:00");
    expect(at("2026-03-08 02:30", "later")).toBe("2026-03-08T03:30:00-05:00");
    expect(at("2026-03-08 02:30", "reject")).toContain("does not exist");
    expect(at("2026-03-08 03:00")).toBe("2026-03-08T03:00:00-05:00");
    expect(at("2026-11-01 01:30")).toBe("2026-11-01T01:30:00-05:00");
    expect(at("2026-11-01 01:30", "later")).toBe("2026-11-01T01:30:00-06:00");
    expect(at("2026-11-01 01:30", "reject")).toContain("exists twice");
    expect(at("2026-11-01 02:00")).toBe("2026-11-01T02:00:00-06:00");
  });

  test("show a moment by clocks elsewhere", () => {
    check([
      ["formatDate", ["2026-03-14T09:26:53-05:00", "yyyyMMdd HHmmss"], "20260314 092653"],
      [
        "formatDate",
        ["2026-03-14T23:30:00-05:00", "yyyy-MM-dd HH:mm ZZZZZ", "Europe/Berlin"],
        "2026-03-15 05:30 +01:00",
      ],
      ["formatDate", ["2026-03-14", "EEEE d MMMM yyyy"], "Saturday 14 March 2026"],
      ["formatDate", ["2026-03-14T09:05:00", "h:mm a 'on' dd.MM.yy"], "9:05 AM on 14.03.26"],
      [
        "formatDate",
        ["2026-03-14T09:05:00", "ZZZZZ"],
        "fault: the date has no offset from UTC; give its time zone",
      ],
      ["toZone", ["2026-07-01T12:00:00Z", "Asia/Kolkata"], "2026-07-01T17:30:00+05:30"],
      ["toZone", ["2026-07-01T12:00:00", "Europe/London"], "2026-07-01T12:00:00+01:00"],
      ["toZone", ["2026-07-01", "Europe/London"], "2026-07-01"],
      ["toUtc", ["2026-07-01T12:00:00+02:00"], "2026-07-01T10:00:00Z"],
      ["toUtc", ["2026-07-01T12:00:00", "America/New_York"], "2026-07-01T16:00:00Z"],
      ["dateOf", ["2026-07-01T23:59:59-07:00"], "2026-07-01"],
      ["fromEpoch", [1767225600, "seconds"], "2026-01-01T00:00:00Z"],
      ["fromEpoch", ["1767225600123", "milliseconds", "America/Chicago"], "2025-12-31T18:00:00.123-06:00"],
      ["toEpoch", ["2026-01-01T00:00:00.5Z", "seconds"], 1767225600.5],
      ["toEpoch", ["2026-01-01T00:00:00Z", "milliseconds"], 1767225600000],
      ["now", [], "2026-03-08T12:00:00Z"],
      ["now", ["America/Chicago"], "2026-03-08T07:00:00-05:00"],
      ["toZone", ["yesterday", "UTC"], 'fault: "yesterday" is no date as in 2026-03-08T14:30:00-05:00'],
    ]);
  });

  test("count in calendars and in hours", () => {
    check([
      ["addTime", ["2026-01-31", 1, "months"], "2026-02-28"],
      ["addTime", ["2024-02-29", 1, "years"], "2025-02-28"],
      ["addTime", ["2026-03-07T12:00:00-06:00", 1, "days", "America/Chicago"], "2026-03-08T12:00:00-05:00"],
      ["addTime", ["2026-03-07T12:00:00-06:00", 24, "hours", "America/Chicago"], "2026-03-08T13:00:00-05:00"],
      ["addTime", ["2026-03-14T00:00:00", -90, "minutes"], "2026-03-13T22:30:00"],
      ["addTime", ["2026-03-14", 2, "weeks"], "2026-03-28"],
      ["addTime", ["2026-03-14", "99999999", "years"], "fault: the date lies too far away"],
      ["dateDifference", ["2026-03-14", "2026-03-16", "days"], 2],
      ["dateDifference", ["2026-03-14T10:00:00Z", "2026-03-14T10:00:00+02:00", "hours"], -2],
      ["dateDifference", ["2026-01-31", "2026-02-28", "months"], 1],
      ["dateDifference", ["2026-01-15", "2026-02-14", "months"], 0],
      ["dateDifference", ["2026-03-14", "2026-03-14", "days"], 0],
      [
        "dateDifference",
        ["2026-03-14T10:00:00Z", "2026-03-14T10:00:00", "hours"],
        "fault: one date has an offset from UTC and the other none",
      ],
    ]);
  });
});

describe("functions of lists and conditions", () => {
  test("count, pick, order and join", () => {
    const rows = [
      { k: "b", n: "10" },
      { k: "a", n: "9" },
      { k: "b", n: null },
    ];
    const document = { rows, list: [3, "10", 2], one: "x", nested: [[1], [2, 3]] };
    const cases: [MappingExpression, unknown][] = [
      [{ call: "count", args: ["rows"] }, 3],
      [{ call: "count", args: ["one"] }, 1],
      [{ call: "count", args: ["none"] }, 0],
      [{ call: "count" }, 0],
      [{ call: "item", args: ["list", -1] }, 2],
      [{ call: "item", args: ["list", 9] }, MISSING],
      [{ call: "join", args: ["list", { value: "-" }] }, "3-10-2"],
      [{ call: "join", args: ["rows"] }, "fault: only texts and numbers can be joined"],
      [{ call: "sort", args: ["list"] }, [2, 3, "10"]],
      [{ call: "sort", args: ["rows", { value: "n" }] }, [rows[1], rows[0], rows[2]]],
      [
        { call: "sort", args: ["rows", { value: "n" }, { value: "descending" }] },
        [rows[0], rows[1], rows[2]],
      ],
      [{ call: "distinct", args: ["rows", { value: "k" }] }, [rows[0], rows[1]]],
      [{ call: "distinct", args: [{ value: [1, 1.0, "1", 1] }] }, [1, "1"]],
      [{ call: "reverse", args: ["list"] }, [2, "10", 3]],
      [{ call: "slice", args: ["list", 1, 1] }, ["10"]],
      [{ call: "append", args: ["list", "one", "none"] }, [3, "10", 2, "x"]],
      [{ call: "flatten", args: ["nested"] }, [1, 2, 3]],
      [{ call: "entries", args: [{ value: { a: 1 } }] }, [{ key: "a", value: 1 }]],
    ];
    for (const [from, expected] of cases) expect([from, evaluate(from, document)]).toEqual([from, expected]);
    expect(document.list).toEqual([3, "10", 2]);
  });

  test("tell missing, null and empty apart", () => {
    const document = { nothing: null, empty: "", list: [], object: {}, zero: 0 };
    const of = (name: string) =>
      ["none", "nothing", "empty", "list", "object", "zero"].map((path) =>
        evaluate({ call: name, args: [path] }, document),
      );
    expect(of("exists")).toEqual([false, true, true, true, true, true]);
    expect(of("isNull")).toEqual([false, true, false, false, false, false]);
    expect(of("isEmpty")).toEqual([false, false, true, true, true, false]);
    expect(of("hasValue")).toEqual([false, false, false, false, false, true]);
  });

  test("compare numbers as numbers, texts as texts, and nothing as nothing", () => {
    check([
      ["equals", [1, 1.0], true],
      ["equals", [1, "1"], false],
      ["equals", [MISSING, MISSING], true],
      ["equals", [MISSING, null], false],
      ["equals", [{ a: [1] }, { a: [1] }], true],
      ["notEquals", ["a", "b"], true],
      ["in", ["b", ["a", "b"]], true],
      ["in", [MISSING, ["a"]], false],
      ["less", ["9", "10"], true],
      ["less", ["2026-03-14", "2026-10-01"], true],
      ["greater", ["b", "a"], true],
      ["atMost", [2, "2.0"], true],
      ["atLeast", [MISSING, 1], false],
      ["less", [[1], 2], "fault: only numbers and texts have an order"],
      ["and", [true, true, false], false],
      ["or", [false, MISSING, true], true],
      ["not", [MISSING], true],
      ["not", ["yes"], "fault: a condition must be true or false, not a text"],
      ["toBoolean", ["Y"], true],
      ["toBoolean", [0], false],
      ["toBoolean", ["maybe"], "fault: toBoolean: the value is neither yes nor no"],
      ["isNumber", ["1.5e3"], true],
      ["isNumber", ["1,5"], false],
    ]);
    expect(callOn("equals", { a: new ExactNumber("1.000000000000000000001") }, "a", 1)).toBe(false);
  });
});

describe("functions of identifiers", () => {
  test("make UUIDs and hashes that others make too", () => {
    check([
      // RFC 9562, appendix A.4, and well-known hashes.
      [
        "uuidOf",
        ["www.example.com", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
        "2ed6657d-e927-568b-95e1-2665a8aea6a2",
      ],
      ["hash", ["abc"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
      ["hash", ["abc", "md5"], "900150983cd24fb0d6963f7d28e17f72"],
      ["hash", ["abc", "sha1", "base64"], "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="],
    ]);
    expect(call("uuid")).toMatch(/^[0-9a-f-]{36}$/);
    expect(call("uuid")).not.toBe(call("uuid"));
  });
});

describe("functions of freight", () => {
  test("convert units exactly", () => {
    check([
      ["convertUnit", [42150, "LB", "KGM"], 19118.918396],
      ["convertUnit", ["42150", "lb", "kg", 0], 19119],
      ["convertUnit", [1, "SMI", "km", 3], 1.609],
      ["convertUnit", [53, "ft", "m", 4], 16.1544],
      ["convertUnit", [-40, "F", "C"], -40],
      ["convertUnit", [34, "FAH", "CEL", 1], 1.1],
      ["convertUnit", [0, "C", "F"], 32],
      ["convertUnit", [100, "CF", "m3"], 2.831685],
      ["convertUnit", [65, "mph", "km/h", 1], 104.6],
      ["convertUnit", [1, "LB", "LB"], 1],
      ["convertUnit", [1, "lb", "mi"], "fault: LBR is a unit of mass, SMI of length"],
      ["unitCode", ["pounds"], "LBR"],
      ["unitCode", ["LB"], "LBR"],
    ]);
    expect(call("convertUnit", 1, "furlong", "mi")).toContain("no unit");
  });

  test("find the time zone of a place", () => {
    check([
      ["zoneOf", ["US", "TX", "75226"], "America/Chicago"],
      ["zoneOf", ["us", "US-TX", "79901-1234"], "America/Denver"],
      ["zoneOf", ["US", "TN", "37402"], "America/New_York"],
      ["zoneOf", ["US", "TN"], "America/Chicago"],
      ["zoneOf", ["US", "AZ", "85001"], "America/Phoenix"],
      ["zoneOf", ["CA", "SK"], "America/Regina"],
      ["zoneOf", ["MX", "BCN"], "America/Tijuana"],
      ["zoneOf", ["DE"], "Europe/Berlin"],
      ["zoneOf", ["US"], MISSING],
      ["zoneOf", ["XX", "constructor", "toString"], MISSING],
    ]);
    const names = [timeZones.regions, timeZones.postalPrefixes].flatMap((table) =>
      Object.values(table).flatMap((one) => Object.values(one) as string[]),
    );
    const all = [...names, ...Object.values(timeZones.countries)];
    expect(all.filter((name) => findTimeZone(name) === undefined)).toEqual([]);
  });

  test("take classification out of the words of a commodity", () => {
    check([
      [
        "freightText",
        ["PLASTIC PARTS NMFC 156600-2 CLASS 92.5"],
        { description: "PLASTIC PARTS", nmfcItem: "156600-2", freightClass: "92.5" },
      ],
      [
        "freightText",
        ["Class: 70 - Canned goods, NMFC# 73260"],
        { description: "Canned goods", nmfcItem: "73260", freightClass: "70" },
      ],
      ["freightText", ["Auto parts"], { description: "Auto parts" }],
      ["freightText", ["CLASSIC CARS"], { description: "CLASSIC CARS" }],
    ]);
  });

  test("have tables that fit the models, each code once", () => {
    const statuses = new Set<unknown>(Object.keys(LOAD_STATUS_CODES));
    const fromX12 = LIBRARY_TABLES.get("loadStatus.fromX12") ?? {};
    const toX12 = LIBRARY_TABLES.get("loadStatus.toX12") ?? {};
    expect(Object.values(fromX12).filter((status) => !statuses.has(status))).toEqual([]);
    expect(Object.keys(toX12).filter((status) => !statuses.has(status))).toEqual([]);
    const differing = Object.entries(toX12).filter(([status, code]) => fromX12[code as string] !== status);
    // A delivery is reported as completed unloading; its papers tell the rest.
    expect(differing).toEqual([["DELIVERED", "D1"]]);
    const zones = Object.values(LIBRARY_TABLES.get("x12.timeCode") ?? {}) as string[];
    expect(zones.filter((zone) => findTimeZone(zone) === undefined)).toEqual([]);
    const units = Object.values(LIBRARY_TABLES.get("x12.weightUnit") ?? {}) as string[];
    for (const unit of units) expect(call("unitCode", unit)).toBe(unit);
  });
});

describe("the library", () => {
  test("describes every function, and its optional parameters stand last", () => {
    for (const [name, { summary, parameters }] of FUNCTIONS) {
      expect([name, summary.length > 5]).toEqual([name, true]);
      const firstOptional = parameters.findIndex(({ optional }) => optional);
      const rest = firstOptional < 0 ? [] : parameters.slice(firstOptional);
      expect([name, rest.every(({ optional }) => optional === true)]).toEqual([name, true]);
    }
  });
});
