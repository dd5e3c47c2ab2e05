import { describe, expect, test } from "bun:test";
import { findScheme } from "../../src/domain/inbound/schemes/registry.ts";
import type { OAuth2CodeAuth } from "../../src/domain/providers/auth-schema.ts";
import { BUILT_IN_PROVIDERS } from "../../src/domain/providers/built-in-providers.ts";
import { classifyAnswer } from "../../src/domain/providers/classify-answer.ts";
import { authKindOf } from "../../src/domain/providers/choose-auth.ts";
import { configSchemaOf } from "../../src/domain/providers/config-schema.ts";
import { assertManifests, checkManifest } from "../../src/domain/providers/manifest-check.ts";
import type { ProviderManifest } from "../../src/domain/providers/manifest-schema.ts";
import { compileSchema } from "../../src/platform/json/compile-schema.ts";
import { getPointer } from "../../src/platform/json/pointer.ts";
import { manifestOfCode } from "./provider-values.ts";

const HUBSPOT = manifestOfCode("HUBSPOT");
const changed = (change: (manifest: ProviderManifest) => void, code = "HUBSPOT"): unknown => {
  const copy = structuredClone(manifestOfCode(code));
  change(copy);
  return copy;
};
const placesOf = (manifest: ProviderManifest) => (manifest.auth as OAuth2CodeAuth).place;
const faultsOf = (input: unknown): string[] => checkManifest(input).map(({ path }) => path);
const answer = (status: number, body: unknown = "", headers: Record<string, string> = {}) => ({
  status,
  headers: new Headers(headers),
  body: new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body)),
});

describe("built-in providers", () => {
  test("are the twelve of the specification, in its categories", () => {
    const byCategory = Object.groupBy(BUILT_IN_PROVIDERS, ({ category }) => category);
    const codes = Object.entries(byCategory).map(([category, list]) => [
      category,
      list.map(({ code }) => code),
    ]);
    expect(Object.fromEntries(codes)).toEqual({
      LOAD_BOARD: ["DAT", "TRUCKSTOP", "123LOADBOARD"],
      ACCOUNTING: ["QUICKBOOKS", "XERO", "SAGE"],
      ELD: ["KEEPTRUCKIN", "SAMSARA", "OMNITRACS"],
      CRM: ["HUBSPOT", "SALESFORCE", "ZOHO"],
    });
    expect(Object.fromEntries(BUILT_IN_PROVIDERS.map(({ code, auth }) => [code, authKindOf(auth)]))).toEqual({
      DAT: "TOKEN_REQUEST",
      TRUCKSTOP: "OAUTH2",
      "123LOADBOARD": "OAUTH2",
      QUICKBOOKS: "OAUTH2",
      XERO: "OAUTH2",
      SAGE: "OAUTH2",
      KEEPTRUCKIN: "OAUTH2",
      SAMSARA: "API_KEY",
      OMNITRACS: "API_KEY",
      HUBSPOT: "OAUTH2",
      SALESFORCE: "OAUTH2",
      ZOHO: "OAUTH2",
    });
  });

  test.each(BUILT_IN_PROVIDERS.map((manifest) => [manifest.code, manifest] as const))(
    "%s stands every check of a manifest and is complete",
    (_code, manifest) => {
      expect(checkManifest(manifest)).toEqual([]);
      expect(manifest.quotas.length).toBeGreaterThan(0);
      expect(manifest.features.rateLimiting).toBe(true);
      for (const { baseUrl } of manifest.servers) expect(baseUrl).toMatch(/^(?:https:|\{)/);
      const facts = Object.keys(manifest.facts ?? {});
      expect(facts.filter((pointer) => getPointer(manifest, pointer) === undefined)).toEqual([]);
      const covered = ["/auth", "/verify", "/quotas/0", "/rateHeaders", "/classification/0"].concat(
        manifest.servers.map((_, index) => `/servers/${index}/baseUrl`),
      );
      const uncovered = covered.filter(
        (place) => !facts.some((pointer) => place === pointer || place.startsWith(`${pointer}/`)),
      );
      expect(uncovered.filter((place) => !facts.some((pointer) => pointer.startsWith(place)))).toEqual([]);
      if (manifest.webhooks !== undefined) expect(findScheme(manifest.webhooks.scheme)).toBeDefined();
    },
  );

  test.each(BUILT_IN_PROVIDERS.map((manifest) => [manifest.code, manifest] as const))(
    "%s tells log-in, limit and outage apart",
    (_code, manifest) => {
      const of = (status: number) => {
        const judged = classifyAnswer(manifest, answer(status), 0);
        return judged.action === "ok" ? "ok" : `${judged.action} ${judged.kind}`;
      };
      expect(["refresh_then_retry auth", "fail auth"]).toContain(of(401));
      expect(of(403)).toBe("fail auth");
      expect(of(429)).toBe("rate_limited limit");
      for (const status of [500, 502, 503, 504]) expect(of(status)).toBe("retry outage");
      for (const status of [200, 201, 204, 304]) expect(of(status)).toBe("ok");
      expect(of(302)).toBe("fail config");
      expect(of(422)).toBe("fail data");
    },
  );

  test.each(BUILT_IN_PROVIDERS.map((manifest) => [manifest.code, manifest] as const))(
    "%s asks for its configuration by a JSON Schema that compiles",
    (_code, manifest) => {
      const schema = configSchemaOf(manifest);
      expect(compileSchema(schema).ok).toBe(true);
      const secrets = manifest.fields.filter(({ kind }) => kind === "secret").map(({ name }) => name);
      expect(secrets.length).toBeGreaterThan(0);
      for (const name of secrets) expect(getPointer(schema, `/properties/${name}/writeOnly`)).toBe(true);
    },
  );
});

describe("checkManifest()", () => {
  test("tells every fault at once, each with its JSON pointer", () => {
    const faults = faultsOf({
      manifestVersion: 1,
      code: "lower",
      category: "SHOES",
      status: "ACTIVE",
      features: { webhooks: "yes", batch: false, realtime: false, rateLimiting: true },
      fields: [],
      servers: [
        { environment: "PRODUCTION", baseUrl: "https://a.example.com", allowedHosts: ["UPPER.example.com"] },
      ],
      auth: { type: "BEARER", tokn: "{x}" },
      verify: { request: null, expect: { status: [200] } },
      quotas: [{ name: "q", limit: 0, scope: "integration" }],
      rateHeaders: [],
      classification: [],
      surprise: 1,
    });
    for (const path of [
      "/code",
      "/name",
      "/category",
      "/features/webhooks",
      "/servers/0/allowedHosts/0",
      "/auth/token",
      "/auth/tokn",
      "/quotas/0/limit",
      "/surprise",
    ])
      expect(faults).toContain(path);
  });

  test.each([
    ["an unknown log-in", (m) => ((m.auth as { type: string }).type = "MAGIC"), "/auth/type"],
    [
      "a credential in a header of the hub's own",
      (m) => ((m.auth as { place: { name: string }[] }).place[0]!.name = "Content-Length"),
      "/auth/place/0/name",
    ],
    [
      "lengths that leave none",
      (m) => Object.assign(m.fields[0]!, { minLength: 5, maxLength: 3 }),
      "/fields/0/minLength",
    ],
    ["a field twice", (m) => m.fields.push(m.fields[0]!), "/fields/3/name"],
    ["a default of a secret", (m) => (m.fields[1]!.default = "s3cret"), "/fields/1/default"],
    ["a pattern that is none", (m) => (m.fields[0]!.pattern = "(("), "/fields/0/pattern"],
    ["a name of the hub's own", (m) => (m.fields[2]!.name = "accessToken"), "/fields/2/name"],
    [
      "a host that is not listed",
      (m) => (m.servers[0]!.baseUrl = "https://evil.example.com"),
      "/servers/0/baseUrl",
    ],
    [
      "a query in an address",
      (m) => (m.servers[0]!.baseUrl = "https://api.hubapi.com/?a=1"),
      "/servers/0/baseUrl",
    ],
    [
      "a user in an address",
      (m) => (m.servers[0]!.baseUrl = "https://u@api.hubapi.com"),
      "/servers/0/baseUrl",
    ],
    ["a secret in an address", (m) => (m.servers[0]!.baseUrl += "/{clientSecret}"), "/servers/0/baseUrl"],
    ["a host from an answer", (m) => m.servers[0]!.allowedHosts.push("{hubId}"), "/servers/0/allowedHosts/3"],
    [
      "a whole top-level domain",
      (m) => m.servers[0]!.allowedHosts.push("*.com"),
      "/servers/0/allowedHosts/3",
    ],
    ["an address that is missing", (m) => delete m.servers[0]!.urls!["token"], "/auth"],
    ["an unknown placeholder", (m) => (m.headers = { "X-A": "{nothing}" }), "/headers/X-A"],
    ["a header of the hub's own", (m) => (m.headers = { Host: "a" }), "/headers/Host"],
    ["a secret in a header", (m) => (m.headers = { "X-Api-Key": "abc123" }), "/headers/X-Api-Key"],
    ["a secret in a body", (m) => addBody(m, { password: "p" }), "/verify/request/body/value/password"],
    ["a request that changes", (m) => (m.verify.request!.method = "POST"), "/verify/request/method"],
    ["a path with a query", (m) => (m.verify.request!.path = "/a?b=1"), "/verify/request/path"],
    ["a path with dots", (m) => (m.verify.request!.path = "/a/../b"), "/verify/request/path"],
    ["a header of no quota", (m) => (m.rateHeaders[0]!.quota = "nothing"), "/rateHeaders/0/quota"],
    [
      "a rule for everything",
      (m) => delete m.classification[4]!.status && delete m.classification[4]!.body,
      "/classification/4",
    ],
    [
      "a blamed field that is none",
      (m) => (m.verify.blame![0]!.fields = ["nothing"]),
      "/verify/blame/0/fields/0",
    ],
    [
      "a field that waits for itself",
      (m) => (m.fields[0]!.visibleWhen = { field: m.fields[0]!.name, equals: ["a"] }),
      "/fields/0/visibleWhen/field",
    ],
    [
      "a length of a truth value",
      (m) => Object.assign(m.fields[0]!, { type: "boolean", minLength: 2 }),
      "/fields/0/minLength",
    ],
    [
      "a choice of integers that are none",
      (m) => Object.assign(m.fields[0]!, { type: "integer", enum: ["1", "b"] }),
      "/fields/0/enum/1",
    ],
    ["a choice that stands twice", (m) => (m.fields[0]!.enum = ["a", "a"]), "/fields/0/enum/1"],
    [
      "a credential placed twice",
      (m) => placesOf(m).push({ ...placesOf(m)[0]!, name: placesOf(m)[0]!.name.toUpperCase() }),
      "/auth/place/1/name",
    ],
    [
      "a line break in a credential's header",
      (m) => (placesOf(m)[0]!.value = "a\r\nb: {accessToken}"),
      "/auth/place/0/value",
    ],
    [
      "a header of a token endpoint that cannot be sent",
      (m) => ((m.auth as OAuth2CodeAuth).token.headers = { "Content-Length": "1" }),
      "/auth/token/headers/Content-Length",
    ],
    ["a quota's path with ** in the middle", (m) => (m.quotas[0]!.paths = ["/a/**/b"]), "/quotas/0/paths/0"],
    [
      "a header that corrects a limit of calls at once",
      (m) => {
        m.quotas.push({ name: "atOnce", limit: 2, scope: "integration" });
        m.rateHeaders.push({ quota: "atOnce", remaining: "x-left" });
      },
      "/rateHeaders/1/quota",
    ],
    [
      "a new token where none is got",
      (m) => {
        m.auth = { type: "API_KEY", place: [{ in: "header", name: "x-key", value: "{clientSecret}" }] };
        m.classification = [{ status: [401], action: "refresh_then_retry", kind: "auth", code: "expired" }];
      },
      "/classification/0/action",
    ],
    [
      "a header for repetitions that cannot be sent",
      (m) => (m.idempotency = { in: "header", name: "bad name", methods: ["POST"] }),
      "/idempotency/name",
    ],
    [
      "a token that is nowhere placed",
      (m) => ((m.auth as { place: unknown }).place = [{ in: "header", name: "A", value: "x" }]),
      "/auth/place",
    ],
  ] as [string, (manifest: ProviderManifest) => unknown, string][])("refuses %s", (_what, change, path) => {
    expect(faultsOf(changed(change))).toContain(path);
  });

  test("refuses a sandbox on a host of production, also by a wildcard", () => {
    const of = (change: (manifest: ProviderManifest) => void) => faultsOf(changed(change, "SALESFORCE"));
    expect(of((m) => m.servers[1]!.allowedHosts.push("acme.my.salesforce.com"))).toEqual([
      "/servers/1/allowedHosts/2",
    ]);
    expect(of((m) => m.servers[1]!.allowedHosts.push("login.salesforce.com"))).toEqual([
      "/servers/1/allowedHosts/2",
    ]);
    expect(of((m) => (m.servers[1]!.sharedHosts = ["test.salesforce.com"]))).toEqual([
      "/servers/1/sharedHosts/0",
    ]);
  });

  test("refuses what is no manifest at all", () => {
    for (const input of [null, [], "text", 7, {}]) expect(checkManifest(input).length).toBeGreaterThan(0);
    const large = { ...HUBSPOT, description: "x".repeat(300_000) };
    expect(checkManifest(large)).toEqual([{ path: "", message: "must be at most 262144 bytes" }]);
  });

  test("tells no value, which may be a secret in the wrong place", () => {
    const text = JSON.stringify(checkManifest(changed((m) => (m.status = "hunter2" as "ACTIVE"))));
    expect(text).toContain("/status");
    expect(text).not.toContain("hunter2");
  });
});

describe("assertManifests()", () => {
  test("names manifest and place", () => {
    expect(() => assertManifests([changed((m) => (m.verify.request!.path = "/../x"))])).toThrow(
      /manifest HUBSPOT, \/verify\/request\/path: /,
    );
  });
});

function addBody(manifest: ProviderManifest, value: unknown): void {
  manifest.verify.request = {
    ...manifest.verify.request!,
    method: "POST",
    isReadOnly: true,
    body: { type: "json", value },
  };
}
