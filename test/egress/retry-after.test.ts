import { describe, expect, test } from "bun:test";
import { retryAfterSeconds } from "../../src/platform/egress/retry-after.ts";

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);

describe("retryAfterSeconds()", () => {
  test.each<[string | null, number | undefined]>([
    ["0", 0],
    ["120", 120],
    [" 5 ", 5],
    ["99999999999999999999", Number.MAX_SAFE_INTEGER],
    ["Mon, 23 Nov 2026 12:02:00 GMT", 120],
    ["Monday, 23-Nov-26 12:02:00 GMT", 120],
    ["Mon, 23 Nov 2026 11:00:00 GMT", 0],
    ["Mon Nov 23 12:02:00 2026", 120],
    [null, undefined],
    ["", undefined],
    ["soon", undefined],
    ["-5", undefined],
    ["1.5", undefined],
    ["1e9", undefined],
  ])("reads %j as %j", (value, seconds) => {
    expect(retryAfterSeconds(value, NOW)).toBe(seconds);
  });
});
