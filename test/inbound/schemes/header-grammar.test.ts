import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { compileGrammar, type ParsedSignature } from "../../../src/domain/inbound/schemes/header-grammar.ts";
import type { Algorithm, HeaderGrammar } from "../../../src/domain/inbound/schemes/scheme.ts";
import { compileTimeWindow } from "../../../src/domain/inbound/schemes/time-window.ts";

const HMAC: Algorithm = { type: "hmac", hash: "sha256", encoding: "hex" };
const WHOLE: HeaderGrammar = { form: "whole", prefix: "sha256=", algorithm: HMAC };
const PAIRS: HeaderGrammar = { form: "pairs", timestampField: "t", algorithms: { v1: HMAC } };
const LIST: HeaderGrammar = { form: "list", algorithms: { v1: HMAC, v1a: { type: "ed25519" } } };

function parse(grammar: HeaderGrammar, value: string) {
  const into: ParsedSignature = { timestamp: "left over", texts: ["left over"], algorithms: [7] };
  const cause = compileGrammar(grammar).parse(value, into);
  return cause ?? into;
}

const signature = fc.stringMatching(/^[A-Za-z0-9+/=]{1,88}$/);
const field = fc.stringMatching(/^[a-z][a-z0-9]{0,3}$/).filter((name) => name !== "t" && name !== "v1");

describe("compileGrammar()", () => {
  test("form whole: gives back whatever stands behind the prefix", () => {
    fc.assert(
      fc.property(signature, (text) => {
        expect(parse(WHOLE, `sha256=${text}`)).toEqual({ timestamp: "", texts: [text], algorithms: [0] });
      }),
    );
  });

  test("form whole: another prefix is an unknown version", () => {
    expect(parse(WHOLE, "sha1=ab")).toBe("unknown_version");
    expect(parse(WHOLE, "")).toBe("unknown_version");
    expect(parse(WHOLE, "SHA256=ab")).toBe("unknown_version");
  });

  test("form pairs: finds the time and every v1, in any order, among fields that it does not know", () => {
    const other = fc.tuple(field, signature).map(([name, text]) => `${name}=${text}`);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4_000_000_000 }),
        fc.array(signature, { minLength: 1, maxLength: 8 }),
        fc.array(other, { maxLength: 4 }),
        fc.integer({ min: 0, max: 12 }),
        (time, texts, others, at) => {
          const items = [...others, ...texts.map((text) => `v1=${text}`)];
          items.splice(at % (items.length + 1), 0, `t=${time}`);
          const algorithms = texts.map(() => 0);
          expect(parse(PAIRS, items.join(","))).toEqual({ timestamp: String(time), texts, algorithms });
        },
      ),
    );
  });

  test("form pairs: refuses what is incomplete, repeated or too much", () => {
    const ok = "t=1614265330,v1=ab";
    expect(parse(PAIRS, "")).toBe("malformed");
    expect(parse(PAIRS, "v1=ab")).toBe("malformed");
    expect(parse(PAIRS, "t=,v1=ab")).toBe("malformed");
    expect(parse(PAIRS, "t=1614265330")).toBe("unknown_version");
    expect(parse(PAIRS, "t=1614265330,v0=ab")).toBe("unknown_version");
    expect(parse(PAIRS, `${ok},t=1614265331`)).toBe("malformed");
    expect(parse(PAIRS, `${ok},`)).toBe("malformed");
    expect(parse(PAIRS, `,${ok}`)).toBe("malformed");
    expect(parse(PAIRS, `${ok},v1`)).toBe("malformed");
    expect(parse(PAIRS, `${ok},=ab`)).toBe("malformed");
    expect(parse(PAIRS, `${ok}, ${ok}`)).toBe("header_doubled");
    expect(parse(PAIRS, `t=1614265330${",v1=ab".repeat(9)}`)).toBe("malformed");
  });

  test("form pairs: may be separated by semicolons, and may hold no time", () => {
    const semicolons: HeaderGrammar = { ...PAIRS, timestampField: "ts", separator: ";" };
    const expected = { timestamp: "1671552777", texts: ["ab", "cd"], algorithms: [0, 0] };
    expect(parse(semicolons, "ts=1671552777;v1=ab;v1=cd;v2=ef")).toEqual(expected);
    expect(parse(semicolons, "ts=1671552777,v1=ab")).toBe("unknown_version");
    const timeless: HeaderGrammar = { form: "pairs", algorithms: { v1: HMAC } };
    expect(parse(timeless, "v1=ab,v1=cd")).toEqual({ ...expected, timestamp: "" });
    expect(parse(timeless, "v2=ab")).toBe("unknown_version");
  });

  test("form list: gives every signature with its algorithm", () => {
    const item = fc.tuple(fc.constantFrom("v1", "v1a", "v2"), signature);
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 8 }), (items) => {
        const known = items.filter(([version]) => version !== "v2");
        const header = items.map(([version, text]) => `${version},${text}`).join(" ");
        if (known.length === 0) {
          expect(parse(LIST, header)).toBe("unknown_version");
          return;
        }
        expect(parse(LIST, header)).toEqual({
          timestamp: "",
          texts: known.map(([, text]) => text),
          algorithms: known.map(([version]) => (version === "v1" ? 0 : 1)),
        });
      }),
    );
  });

  test("form list: refuses what is incomplete or too much", () => {
    expect(parse(LIST, "")).toBe("malformed");
    expect(parse(LIST, "v1")).toBe("malformed");
    expect(parse(LIST, ",ab")).toBe("malformed");
    expect(parse(LIST, "v1,ab  v1,cd")).toBe("malformed");
    expect(parse(LIST, "v1,ab ")).toBe("malformed");
    expect(parse(LIST, "v1,ab, v1,ab")).toBe("header_doubled");
    expect(parse(LIST, Array(9).fill("v1,ab").join(" "))).toBe("malformed");
  });

  test("no form ever throws, whatever the header holds", () => {
    for (const grammar of [WHOLE, PAIRS, LIST]) {
      fc.assert(
        fc.property(fc.string({ unit: "binary", maxLength: 200 }), (value) => {
          const result = parse(grammar, value);
          expect(typeof result === "string" || result.texts.length > 0).toBe(true);
        }),
      );
    }
  });
});

describe("compileTimeWindow()", () => {
  const NOW = 1_795_416_508_999;
  const seconds = compileTimeWindow({ unit: "seconds", toleranceSeconds: 300 });
  const milliseconds = compileTimeWindow({ unit: "milliseconds", toleranceSeconds: 300 });

  test("takes 300 s to both sides and not one more", () => {
    const now = Math.floor(NOW / 1000);
    expect([now - 300, now, now + 300].map((time) => seconds(String(time), NOW))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(seconds(String(now - 301), NOW)).toBe("timestamp_stale");
    expect(seconds(String(now + 301), NOW)).toBe("timestamp_future");
    expect(milliseconds(String(NOW - 300_000), NOW)).toBeUndefined();
    expect(milliseconds(String(NOW - 300_001), NOW)).toBe("timestamp_stale");
    expect(milliseconds(String(NOW + 300_001), NOW)).toBe("timestamp_future");
  });

  test("refuses every spelling but plain digits of the unit", () => {
    const now = String(Math.floor(NOW / 1000));
    for (const text of [
      "",
      `${now}abc`,
      ` ${now}`,
      `${now} `,
      `${now}.0`,
      `+${now}`,
      `0${now}`,
      now.slice(1),
      `${now}\n`,
      "0x6b0c8f9c0",
      "1e9",
      "NaN",
      String(NOW),
    ]) {
      expect(seconds(text, NOW)).toBe("malformed");
    }
    expect(milliseconds(now, NOW)).toBe("malformed");
  });

  test("reads ISO 8601 times, and refuses dates that do not exist", () => {
    const iso = compileTimeWindow({ unit: "iso8601", toleranceSeconds: 300 });
    const at = (offsetSeconds: number) =>
      `${new Date(NOW + offsetSeconds * 1000).toISOString().slice(0, 19)}Z`;
    expect(iso(at(0), NOW)).toBeUndefined();
    expect(iso(at(-300), NOW)).toBeUndefined();
    expect(iso(at(-301), NOW)).toBe("timestamp_stale");
    expect(iso(at(301), NOW)).toBe("timestamp_future");
    const day = at(0).slice(0, 10);
    for (const text of [
      "",
      day,
      `${day}T10:00:00`,
      `${day}t10:00:00Z`,
      `2026-99-11T10:00:00Z`,
      ` ${at(0)}`,
    ]) {
      expect(iso(text, NOW)).toBe("malformed");
    }
  });
});
