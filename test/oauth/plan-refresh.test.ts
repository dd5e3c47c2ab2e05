import { describe, expect, test } from "bun:test";
import { judgeTokenAnswer } from "../../src/domain/oauth/judge-token-answer.ts";
import { planRefresh, type RefreshState, retryAtMs } from "../../src/domain/oauth/plan-refresh.ts";
import { tokenTimes, type TokenAuth, urgency } from "../../src/domain/oauth/token-times.ts";
import type { OAuth2CodeAuth } from "../../src/domain/providers/auth-schema.ts";
import { oauthManifest } from "./oauth-server.ts";

const NOW = 1_800_000_000_000;
const SECOND = 1_000;
const MINUTE = 60_000;

const codeAuth = (refresh: object = {}): OAuth2CodeAuth =>
  oauthManifest({ url: "http://127.0.0.1:1" }, { refresh }).auth as OAuth2CodeAuth;
const auth = codeAuth();
const machine: TokenAuth = {
  type: "OAUTH2_CLIENT_CREDENTIALS",
  scopes: auth.scopes,
  token: auth.token,
  refresh: auth.refresh,
  place: auth.place,
};
const noFacts: RefreshState["journal"] = {
  open: undefined,
  failures: 0,
  retryAtMs: undefined,
  lostSinceMs: undefined,
  givenAtMs: undefined,
  sentAtMs: [],
};
const state = (
  more: Partial<RefreshState> = {},
  journal: Partial<RefreshState["journal"]> = {},
): RefreshState => ({
  auth,
  cause: { kind: "due" },
  nowMs: NOW,
  accessToken: "a",
  hasRefreshToken: true,
  canMint: false,
  expiresAtMs: NOW + MINUTE,
  refreshAtMs: NOW - SECOND,
  ...more,
  journal: { ...noFacts, ...journal },
});
const open = (reached: "STARTED" | "ANSWERED", agoMs = 40 * SECOND) => ({
  id: "j",
  state: reached,
  startedMs: NOW - agoMs,
  baseVersion: 1,
});
const grace = codeAuth({ reuseGraceSeconds: 1_800 });
const send = { do: "send", grant: "refresh_token" };
const unknown = { do: "end", code: "refresh_outcome_unknown" };

describe("planRefresh()", () => {
  test.each<[string, RefreshState, object]>([
    ["is due", state(), send],
    ["is not due", state({ refreshAtMs: NOW + SECOND }), { do: "nothing" }],
    [
      "was refused by the API",
      state({ refreshAtMs: NOW + MINUTE, cause: { kind: "rejected", token: "a" } }),
      send,
    ],
    [
      "was refused and replaced since",
      state({ refreshAtMs: NOW + MINUTE, cause: { kind: "rejected", token: "old" } }),
      { do: "nothing" },
    ],
    ["is asked for", state({ refreshAtMs: NOW + MINUTE, cause: { kind: "asked" } }), send],
    ["is not there", state({ accessToken: undefined, expiresAtMs: undefined, refreshAtMs: undefined }), send],
    [
      "lies answered in the journal",
      state({ refreshAtMs: NOW + MINUTE }, { open: open("ANSWERED") }),
      { do: "store" },
    ],
    ["was sent, rotates, and nobody heard", state({}, { open: open("STARTED") }), unknown],
    ["was lost before, rotates", state({}, { lostSinceMs: NOW - MINUTE }), unknown],
    [
      "was lost, changes now and then",
      state({ auth: codeAuth({ rotation: "periodic" }) }, { open: open("STARTED") }),
      unknown,
    ],
    [
      "was lost, does not rotate",
      state({ auth: codeAuth({ rotation: "none" }) }, { open: open("STARTED") }),
      send,
    ],
    ["was lost within the grace", state({ auth: grace }, { open: open("STARTED", 29 * MINUTE) }), send],
    [
      "was lost before the grace began to end",
      state({ auth: grace }, { open: open("STARTED", 30 * MINUTE) }),
      unknown,
    ],
    [
      "was lost twice, the first time too long ago",
      state({ auth: grace }, { open: open("STARTED"), lostSinceMs: NOW - 31 * MINUTE }),
      unknown,
    ],
    [
      "was lost, and user name and password are there",
      state({ canMint: true }, { open: open("STARTED") }),
      { do: "send", grant: "mint" },
    ],
    [
      "is a machine's",
      state({ auth: machine, hasRefreshToken: false, canMint: true }),
      { do: "send", grant: "mint" },
    ],
    [
      "is a machine's with a needless refresh token",
      state({ auth: machine, canMint: true }),
      { do: "send", grant: "mint" },
    ],
    ["has no refresh token and lives", state({ hasRefreshToken: false }), { do: "nothing" }],
    [
      "has no refresh token and is over",
      state({ hasRefreshToken: false, expiresAtMs: NOW }),
      { do: "end", code: "no_refresh_token" },
    ],
    [
      "has no refresh token and is refused",
      state({ hasRefreshToken: false, expiresAtMs: undefined, cause: { kind: "rejected", token: "a" } }),
      { do: "end", code: "no_refresh_token" },
    ],
    [
      "failed just now",
      state({}, { retryAtMs: NOW + SECOND }),
      { do: "wait", code: "retry_later", untilMs: NOW + SECOND },
    ],
    [
      "failed just now and is asked for",
      state({ cause: { kind: "asked" } }, { retryAtMs: NOW + SECOND }),
      send,
    ],
  ])("a token that %s", (_name, given, plan) => {
    expect(planRefresh(given)).toMatchObject(plan);
  });

  test("a token endpoint's limit counts what was sent, and holds for persons too", () => {
    const limited = codeAuth({ rotation: "none", quota: { limit: 2, windowSeconds: 600 } });
    const cause = { kind: "asked" } as const;
    const two = [NOW - 5 * MINUTE, NOW - MINUTE];
    expect(planRefresh(state({ auth: limited, cause }, { sentAtMs: two }))).toEqual({
      do: "wait",
      code: "token_limit",
      untilMs: NOW + 5 * MINUTE,
    });
    expect(planRefresh(state({ auth: limited, cause }, { sentAtMs: two.slice(1) })).do).toBe("send");
  });

  test("a token that the provider does not replace so young is left alone", () => {
    const slow = codeAuth({ minAgeSeconds: 60 });
    const given = state({ auth: slow, cause: { kind: "rejected", token: "a" } }, { givenAtMs: NOW - SECOND });
    expect(planRefresh(given)).toMatchObject({
      do: "wait",
      code: "token_too_young",
      untilMs: NOW + 59 * SECOND,
    });
  });
});

describe("tokenTimes()", () => {
  const times = (policy: object, expiresInMs: number | undefined, isRenewable = true, random = 0) =>
    tokenTimes(codeAuth(policy), { nowMs: NOW, expiresInMs, isRenewable }, () => random);
  test.each<[string, ReturnType<typeof times>, number | null, number | null]>([
    ["an hour: five minutes before its end", times({}, 60 * MINUTE), 60 * MINUTE, 55 * MINUTE],
    ["a jitter makes it earlier, never later", times({}, 60 * MINUTE, true, 1), 60 * MINUTE, 54.5 * MINUTE],
    ["four minutes: half of its life", times({}, 4 * MINUTE), 4 * MINUTE, 2 * MINUTE],
    [
      "no expires_in: the manifest's default",
      times({ defaultLifeSeconds: 7_200 }, undefined),
      120 * MINUTE,
      115 * MINUTE,
    ],
    ["expires_in of 0: the same", times({ defaultLifeSeconds: 7_200 }, 0), 120 * MINUTE, 115 * MINUTE],
    ["a margin of its own", times({ marginSeconds: 30 }, 10 * MINUTE), 10 * MINUTE, 9.5 * MINUTE],
    ["not before it may be replaced", times({ minAgeSeconds: 570 }, 10 * MINUTE), 10 * MINUTE, 9.5 * MINUTE],
    ["no refresh token: at its end", times({}, 10 * MINUTE, false), 10 * MINUTE, 10 * MINUTE],
    ["neither end nor refresh token: until it is refused", times({}, undefined, false), null, null],
  ])("%s", (_name, found, expiresIn, refreshIn) => {
    expect(found.expiresAt?.getTime() ?? null).toBe(expiresIn === null ? null : NOW + expiresIn);
    expect(found.refreshAt?.getTime() ?? null).toBe(refreshIn === null ? null : NOW + refreshIn);
  });

  test("urgency() lets a token serve on in its margin, except for the last minute", () => {
    const at = (beforeMs: number) =>
      urgency({ isThere: true, expiresAtMs: NOW, refreshAtMs: NOW - 5 * MINUTE }, NOW - beforeMs);
    expect([at(6 * MINUTE), at(4 * MINUTE), at(61 * SECOND), at(59 * SECOND), at(-1)]).toEqual([
      "none",
      "later",
      "later",
      "now",
      "now",
    ]);
    // The next try after a failure may lie behind the end: the end counts.
    expect(urgency({ isThere: true, expiresAtMs: NOW, refreshAtMs: NOW + MINUTE }, NOW + 1)).toBe("now");
  });

  test("retryAtMs() doubles up to 15 minutes, and keeps to what the provider says, for a day at most", () => {
    const wait = (failures: number, retryAfterMs?: number) =>
      retryAtMs(failures, { nowMs: 0, retryAfterMs }, () => 0.5) / SECOND;
    expect([1, 2, 3, 8, 50].map((failures) => wait(failures))).toEqual([5, 10, 20, 640, 900]);
    expect(wait(1, 120 * SECOND)).toBe(120);
    expect(wait(1, 999_999_999 * SECOND)).toBe(86_400);
  });
});

describe("judgeTokenAnswer()", () => {
  const judge = (status: number, document: unknown, of: OAuth2CodeAuth = auth) => {
    const result = judgeTokenAnswer(of, { status, document, retryAfterMs: undefined }, NOW);
    return result.ok ? "ok" : `${result.fault.kind} ${result.fault.code}`;
  };
  const zoho: OAuth2CodeAuth = {
    ...auth,
    token: { ...auth.token, answer: { ...auth.token.answer, error: "/error" } },
    refresh: { ...auth.refresh, finalErrors: [{ pointer: "/error", values: ["invalid_code"] }] },
  };
  test.each<[string, string, string]>([
    ["tokens", judge(200, { access_token: "x", expires_in: 60 }), "ok"],
    ["invalid_grant", judge(400, { error: "invalid_grant" }), "final invalid_grant"],
    ["invalid_grant with 401", judge(401, { error: "invalid_grant" }), "final invalid_grant"],
    ["a wrong client", judge(401, { error: "invalid_client" }), "refused invalid_client"],
    ["a final error with 200", judge(200, { error: "invalid_code" }, zoho), "final invalid_code"],
    [
      "another error with 200",
      judge(200, { error: "Access_Denied_too_many" }, zoho),
      "outage Access_Denied_too_many",
    ],
    ["free text as error", judge(400, { error: "secret text, with spaces" }), "refused status_400"],
    ["HTML with 200", judge(200, undefined), "outage token_missing"],
    ["HTML with 500", judge(500, undefined), "outage status_500"],
    ["429", judge(429, { error: "slow_down" }), "outage slow_down"],
    ["a redirect", judge(302, undefined), "refused status_302"],
    [
      "temporarily_unavailable",
      judge(503, { error: "temporarily_unavailable" }),
      "outage temporarily_unavailable",
    ],
    ["an array", judge(200, []), "outage token_missing"],
    ["a token with a line break", judge(200, { access_token: "a\nb" }), "outage token_unusable"],
    ["a token that is an object", judge(200, { access_token: {} }), "outage token_missing"],
  ])("%s", (_name, found, wanted) => {
    expect(found).toBe(wanted);
  });
});
