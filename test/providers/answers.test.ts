import { describe, expect, test } from "bun:test";
import { classifyAnswer } from "../../src/domain/providers/classify-answer.ts";
import { readRateHeaders } from "../../src/domain/providers/rate-headers.ts";
import { readSpanMs } from "../../src/domain/providers/read-time.ts";
import { readTokenAnswer } from "../../src/domain/providers/read-token-answer.ts";
import { manifestOfCode } from "./provider-values.ts";

const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 0);
const judge = (code: string, status: number, body: unknown = "", headers: Record<string, string> = {}) =>
  classifyAnswer(
    manifestOfCode(code),
    {
      status,
      headers: new Headers(headers),
      body: new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body)),
    },
    NOW_MS,
  );

describe("readSpanMs()", () => {
  test.each([
    ["120", "any", 120_000],
    ["0.35", "any", 350],
    ["0", "any", 0],
    ["Mon, 23 Nov 2026 12:00:30 GMT", "any", 30_000],
    ["Monday, 23-Nov-26 12:00:30 GMT", "any", 30_000],
    ["Mon Nov 23 12:00:30 2026", "any", 30_000],
    ["Mon, 23 Nov 2026 11:00:00 GMT", "any", 0],
    ["2026-11-23T12:01:00Z", "any", 60_000],
    ["2026-11-23T13:01:00+01:00", "any", 60_000],
    [String(NOW_MS / 1000 + 5), "any", 5_000],
    [String(NOW_MS + 5_000), "any", 5_000],
    ["6m0s", "any", 360_000],
    ["250ms", "any", 250],
    ["PT1M30S", "any", 90_000],
    ["soon", "any", undefined],
    ["", "any", undefined],
    ["-5", "any", undefined],
    ["1e9", "any", undefined],
    ["99999999999", "any", 31 * 86_400_000],
    ["10", "delta_s", 10_000],
    ["10", "delta_ms", 10],
    [String(NOW_MS / 1000 + 7), "epoch_s", 7_000],
    [String(NOW_MS + 7), "epoch_ms", 7],
    ["10", "http_date", undefined],
    ["1h2m", "duration", 3_720_000],
  ] as const)("%p as %s is %p", (text, format, spanMs) => {
    expect(readSpanMs(text, format, NOW_MS)).toBe(spanMs);
  });
});

describe("classifyAnswer()", () => {
  test("finds the fault in a 200", () => {
    const fault = (type: string) => ({ Fault: { Error: [{ Message: "No.", code: "1" }], type }, time: "x" });
    expect(judge("QUICKBOOKS", 200, fault("ValidationFault"))).toMatchObject({
      action: "fail",
      kind: "data",
      code: "fault",
      message: "No.",
    });
    expect(judge("QUICKBOOKS", 200, fault("AuthenticationFault"))).toMatchObject({
      action: "refresh_then_retry",
    });
    expect(judge("QUICKBOOKS", 200, fault("SystemFault"))).toMatchObject({ action: "retry", kind: "outage" });
    expect(judge("QUICKBOOKS", 200, { Invoice: {} })).toEqual({ action: "ok" });
    expect(judge("SAGE", 200, { "ia::result": { "ia::error": { message: "Bad field" } } })).toMatchObject({
      action: "fail",
      message: "Bad field",
    });
  });

  test("knows a limit by whatever status and header it comes", () => {
    const salesforce = [{ message: "TotalRequests Limit exceeded.", errorCode: "REQUEST_LIMIT_EXCEEDED" }];
    expect(judge("SALESFORCE", 403, salesforce)).toMatchObject({
      action: "rate_limited",
      kind: "limit",
      code: "daily_limit",
      retryAfterMs: 3_600_000,
    });
    expect(judge("SALESFORCE", 403, [{ errorCode: "INSUFFICIENT_ACCESS" }])).toMatchObject({ kind: "auth" });
    expect(judge("XERO", 429, "", { "X-Rate-Limit-Problem": "Day", "Retry-After": "7" })).toMatchObject({
      code: "daily_limit",
      retryAfterMs: 7_000,
    });
    expect(judge("QUICKBOOKS", 429)).toMatchObject({ action: "rate_limited", retryAfterMs: 60_000 });
    expect(judge("SAMSARA", 429, "", { "Retry-After": "0.35" })).toMatchObject({ retryAfterMs: 350 });
    expect(judge("HUBSPOT", 429, { policyName: "DAILY", message: "m" })).toMatchObject({
      code: "daily_limit",
    });
  });

  test("takes a page for a page", () => {
    const html = "<!DOCTYPE html><title>Maintenance</title>";
    expect(judge("HUBSPOT", 200, html, { "content-type": "text/html; charset=utf-8" })).toMatchObject({
      action: "retry",
      kind: "outage",
      code: "html_answer",
    });
    expect(judge("HUBSPOT", 200, html)).toMatchObject({ code: "html_answer" });
    expect(judge("HUBSPOT", 200, "plain", { "content-type": "text/plain" })).toEqual({ action: "ok" });
    expect(judge("HUBSPOT", 503, html, { "content-type": "text/html" })).toMatchObject({
      code: "server_error",
    });
    expect(judge("HUBSPOT", 204, "", { "content-type": "text/html" })).toEqual({ action: "ok" });
  });

  test("reads nothing into a body that is cut, hostile or no JSON", () => {
    for (const body of [
      '{"Fault":{"type":',
      "\u0000\u0001",
      "[".repeat(50_000),
      '{"__proto__":{"Fault":1}}',
      "null",
    ])
      expect(judge("QUICKBOOKS", 200, body)).toEqual({ action: "ok" });
    expect(judge("HUBSPOT", 400, { message: "x".repeat(5_000) })).toMatchObject({ message: "x".repeat(500) });
    expect(judge("HUBSPOT", 400, { message: { deep: 1 } })).toMatchObject({
      message: "The provider answered 400 (refused)",
    });
  });
});

describe("readRateHeaders()", () => {
  const read = (code: string, headers: Record<string, string>) =>
    readRateHeaders(manifestOfCode(code), new Headers(headers), NOW_MS);

  test("reads counts and used/limit pairs", () => {
    expect(read("XERO", { "x-minlimit-remaining": "59", "X-DayLimit-Remaining": "-1" })).toEqual([
      { quota: "minute", limit: undefined, remaining: 59, resetAtMs: undefined },
      { quota: "day", limit: undefined, remaining: 0, resetAtMs: undefined },
    ]);
    const info = "api-usage=10018/100000; api-bursts=1/750; per-app-api-usage=17/250(appName=sample)";
    expect(read("SALESFORCE", { "Sforce-Limit-Info": info })).toEqual([
      { quota: "daily", limit: 100_000, remaining: 89_982, resetAtMs: undefined },
    ]);
    expect(read("HUBSPOT", { "X-HubSpot-RateLimit-Max": "190, 190;w=10" })).toMatchObject([{ limit: 190 }]);
  });

  test("leaves out what it cannot read", () => {
    expect(read("XERO", { "X-MinLimit-Remaining": "many" })).toEqual([]);
    expect(read("SALESFORCE", { "Sforce-Limit-Info": "api-usage=x/y" })).toEqual([]);
    expect(read("SAMSARA", {})).toEqual([]);
  });

  test("reads when a quota begins anew, in the provider's way of writing", () => {
    const of = (format: "delta_s" | "epoch_ms" | "duration", text: string) =>
      readRateHeaders(
        { rateHeaders: [{ quota: "q", reset: { header: "X-Reset", format } }] },
        new Headers({ "X-Reset": text }),
        NOW_MS,
      )[0]?.resetAtMs;
    expect(of("delta_s", "5")).toBe(NOW_MS + 5_000);
    expect(of("epoch_ms", String(NOW_MS + 9))).toBe(NOW_MS + 9);
    expect(of("duration", "6m0s")).toBe(NOW_MS + 360_000);
  });
});

describe("readTokenAnswer()", () => {
  const read = (code: string, body: unknown) => {
    const { auth } = manifestOfCode(code);
    if (!("token" in auth) || auth.type === "BEARER") throw new Error("no token endpoint");
    return readTokenAnswer(auth.token.answer, body, NOW_MS);
  };

  test("reads tokens, life and what else the answer brings", () => {
    expect(read("SALESFORCE", { access_token: "a", refresh_token: "r", instance_url: "https://x" })).toEqual({
      ok: true,
      accessToken: "a",
      refreshToken: "r",
      expiresInMs: undefined,
      captured: { instanceUrl: "https://x" },
    });
    expect(read("HUBSPOT", { access_token: "a", expires_in: 1800, hub_id: 62515 })).toMatchObject({
      expiresInMs: 1_800_000,
      refreshToken: undefined,
      captured: { hubId: "62515" },
    });
  });

  test("knows an error that comes with status 200, and an answer without a token", () => {
    expect(read("ZOHO", { error: "invalid_code" })).toEqual({
      ok: false,
      code: "token_refused",
      error: "invalid_code",
    });
    expect(read("QUICKBOOKS", { access_token: "" })).toMatchObject({ ok: false, code: "token_missing" });
    expect(read("QUICKBOOKS", "<html>")).toMatchObject({ ok: false, code: "token_missing" });
  });
});
