import { describe, expect, test } from "bun:test";
import { compileQuotas } from "../../src/domain/gateway/call-quotas.ts";
import { readCallOptions } from "../../src/domain/gateway/call-options.ts";
import { outcomeFor } from "../../src/domain/gateway/judge-answer.ts";
import { RetryBudget } from "../../src/domain/gateway/retry-budget.ts";
import { type FailedTry, pauseBeforeRetry } from "../../src/domain/gateway/retry-policy.ts";

const OUTAGE = { action: "retry", kind: "outage", code: "server_error", message: "" } as const;
const failed = (more: Partial<FailedTry> = {}): FailedTry => ({
  method: "GET",
  verdict: OUTAGE,
  isSent: true,
  hasIdempotencyKey: false,
  isBodyThere: true,
  retries: 0,
  retriesMax: 3,
  leftMs: 30_000,
  ...more,
});

describe("pauseBeforeRetry()", () => {
  test("chooses from the whole span, which doubles up to ten seconds", () => {
    expect([0, 0.5, 1].map((random) => pauseBeforeRetry(failed(), random))).toEqual([0, 100, 200]);
    expect([1, 2, 9].map((retries) => pauseBeforeRetry(failed({ retries, retriesMax: 10 }), 1))).toEqual([
      400, 800, 10_000,
    ]);
  });

  test("never comes before the provider's word, nor after the deadline", () => {
    const verdict = { ...OUTAGE, retryAfterMs: 5_000 };
    expect(pauseBeforeRetry(failed({ verdict }), 0)).toBe(5_000);
    expect(pauseBeforeRetry(failed({ verdict, leftMs: 5_000 }), 0)).toBeUndefined();
  });

  test.each([
    ["a POST that was sent", { method: "POST" }, false],
    ["a POST that was not sent", { method: "POST", isSent: false }, true],
    ["a POST with a key", { method: "POST", hasIdempotencyKey: true }, true],
    ["a DELETE that was sent", { method: "DELETE" }, false],
    ["a body that is gone", { isBodyThere: false }, false],
    ["no retries left", { retries: 3 }, false],
    ["an answer that stays the same", { verdict: { ...OUTAGE, action: "fail" } }, false],
  ] as const)("decides on %s", (_name, more, isAgain) => {
    expect(pauseBeforeRetry(failed(more as Partial<FailedTry>), 0.5) !== undefined).toBe(isAgain);
  });
});

test("RetryBudget lets a fifth of the calls be repetitions in the long run", () => {
  const budget = new RetryBudget();
  let taken = 0;
  for (let call = 0; call < 1_000; call++) {
    budget.earn("a");
    if (budget.take("a")) taken++;
  }
  expect(taken).toBeGreaterThan(200);
  expect(taken).toBeLessThan(230);
  expect(budget.take("b")).toBe(true);
});

test.each([
  ["ok", { action: "ok" }, 200, "success"],
  ["a 500", OUTAGE, 500, "failure"],
  ["a 501", { ...OUTAGE, action: "fail", kind: "config" }, 501, "failure"],
  ["a 429", { ...OUTAGE, action: "rate_limited", kind: "limit" }, 429, "success"],
  ["a limit told by a 503", { ...OUTAGE, action: "rate_limited", kind: "limit" }, 503, "success"],
  ["a 408", OUTAGE, 408, "success"],
  ["an outage inside a 200", OUTAGE, 200, "failure"],
  ["wrong data inside a 200", { ...OUTAGE, kind: "data" }, 200, "success"],
  ["a timeout", OUTAGE, undefined, "failure"],
  ["an unknown name", { ...OUTAGE, kind: "config", code: "dns_not_found" }, undefined, "failure"],
  ["a forbidden address", { ...OUTAGE, kind: "config", code: "address_private" }, undefined, "none"],
  ["a caller that left", { ...OUTAGE, kind: "data", code: "aborted" }, undefined, "none"],
] as const)("outcomeFor() tells the circuit of %s", (_name, verdict, status, outcome) => {
  expect(outcomeFor(verdict, status)).toBe(outcome);
});

test("compileQuotas() gives calls that meet the same quotas the same list, whatever their paths", () => {
  const limitsOf = compileQuotas({ defaultRateLimit: 100, rateLimitWindowSeconds: 60 }, [
    { name: "all", limit: 5_000, windowSeconds: 60, scope: "integration" },
    { name: "loads", limit: 2_000, windowSeconds: 60, scope: "integration", paths: ["/loads/*"] },
  ]);
  const [first, second, other] = ["/loads/1", "/loads/2", "/me"].map((path) => limitsOf("GET", path).quotas);
  expect(second).toBe(first!);
  expect(other!.map(({ name }) => name)).toEqual(["all"]);
});

test("compileQuotas() finds what a call meets: paths, weights, concurrency", () => {
  const limitsOf = compileQuotas({ defaultRateLimit: 7, rateLimitWindowSeconds: 60 }, [
    { name: "all", limit: 100, windowSeconds: 60, scope: "integration" },
    {
      name: "search",
      limit: 4,
      windowSeconds: 1,
      scope: "provider",
      paths: ["POST /v1/*/search", "/v2/**"],
      weights: [{ path: "/v2/big", weight: 3 }],
    },
    { name: "atOnce", limit: 5, scope: "integration" },
    { name: "together", limit: 9, scope: "provider" },
  ]);
  const names = (method: string, path: string) =>
    limitsOf(method, path).quotas.map(({ name, weight }) => `${name}:${weight}`);
  expect(names("GET", "/v1/x/search")).toEqual(["all:1"]);
  expect(names("POST", "/v1/x/search")).toEqual(["all:1", "search:1"]);
  expect(names("POST", "/v1/x/y/search")).toEqual(["all:1"]);
  expect(names("GET", "/v2/big")).toEqual(["all:1", "search:3"]);
  expect(limitsOf("GET", "/x")).toMatchObject({ concurrency: 5, sharedConcurrency: 9 });
  const plain = compileQuotas({ defaultRateLimit: 7, rateLimitWindowSeconds: 60 }, []);
  expect(plain("GET", "/").quotas).toMatchObject([{ name: "default", limit: 7, windowMs: 60_000 }]);
});

test("readCallOptions() reads what is there and nothing else", () => {
  expect(readCallOptions(new Headers())).toEqual({ priority: "normal", isAsync: false });
  const headers = new Headers({
    "hub-priority": "High",
    "hub-timeout-ms": "500",
    prefer: "wait=5, respond-async",
  });
  expect(readCallOptions(headers)).toEqual({ priority: "high", timeoutMs: 500, isAsync: true });
});
