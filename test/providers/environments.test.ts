import { describe, expect, test } from "bun:test";
import { checkOverridden } from "../../src/domain/providers/check-overridden.ts";
import { BUILT_IN_PROVIDERS } from "../../src/domain/providers/built-in-providers.ts";
import { matchesHost, overlapHosts } from "../../src/domain/providers/host-pattern.ts";
import type { Environment } from "../../src/domain/providers/manifest-schema.ts";
import { mayCarryCredential, resolveServer } from "../../src/domain/providers/resolve-server.ts";
import { manifestOfCode, VALUES } from "./provider-values.ts";

const hostsOf = (code: string, environment: Environment) =>
  manifestOfCode(code)
    .servers.filter((server) => server.environment === environment)
    .flatMap(({ allowedHosts }) => allowedHosts);

/** The sandbox addresses that exist; the others have no sandbox host. */
const SANDBOXES: Readonly<Record<string, string>> = {
  DAT: "https://freight.api.staging.dat.com/posting",
  TRUCKSTOP: "https://api-int.truckstop.com",
  "123LOADBOARD": "https://api.dev.123loadboard.com",
  QUICKBOOKS: "https://sandbox-quickbooks.api.intuit.com/v3/company/9130355377388383",
  SALESFORCE: "https://acme--dev.sandbox.my.salesforce.com/services/data/v66.0",
  ZOHO: "https://sandbox.zohoapis.com/crm/v8",
};
const DERIVED: Readonly<Record<string, object>> = {
  SALESFORCE: { instanceUrl: "https://acme--dev.sandbox.my.salesforce.com" },
};

describe("environments", () => {
  test.each(BUILT_IN_PROVIDERS.map(({ code }) => code))(
    "%s: sandbox and production share no host",
    (code) => {
      const manifest = manifestOfCode(code);
      const config = { ...VALUES[code]!.config, ...DERIVED[code] };
      const sandbox = resolveServer(manifest, { environment: "SANDBOX", config });
      if (SANDBOXES[code] === undefined) {
        expect(sandbox).toMatchObject({ ok: false, code: "no_sandbox" });
        expect(resolveServer(manifest, { environment: "TEST", config })).toMatchObject({
          code: "no_sandbox",
        });
        return;
      }
      expect(sandbox).toMatchObject({ ok: true, baseUrl: SANDBOXES[code] });
      const production = hostsOf(code, "PRODUCTION");
      const others = [...hostsOf(code, "SANDBOX"), ...hostsOf(code, "TEST")];
      expect(others.filter((host) => production.some((pattern) => overlapHosts(pattern, host)))).toEqual([]);
    },
  );

  test.each(BUILT_IN_PROVIDERS.map(({ code }) => code))(
    "%s: no address of the sandbox leads to production, by whichever name",
    (code) => {
      const manifest = manifestOfCode(code);
      const production = hostsOf(code, "PRODUCTION");
      const config = { ...VALUES[code]!.config, ...DERIVED[code] };
      for (const environment of ["SANDBOX", "TEST"] as const) {
        for (const server of manifest.servers) {
          for (const name of [undefined, ...Object.keys(server.urls ?? {})]) {
            const resolved = resolveServer(manifest, { environment, config, name });
            if (!resolved.ok) continue;
            const { hostname } = new URL(resolved.baseUrl);
            expect(production.some((pattern) => matchesHost(pattern, hostname))).toBe(false);
          }
        }
      }
    },
  );

  test.each([
    ["SALESFORCE", { instanceUrl: "https://acme.my.salesforce.com" }],
    ["SALESFORCE", { instanceUrl: "https://login.salesforce.com" }],
    ["SALESFORCE", { instanceUrl: "https://evil.example.com" }],
    ["SALESFORCE", { instanceUrl: "https://a.sandbox.my.salesforce.com.evil.example.com" }],
    ["ZOHO", { apiDomain: "https://www.zohoapis.com" }],
    ["ZOHO", { apiDomain: "https://evil.example.com" }],
  ])("%s: a sandbox refuses what a token answer says: %p", (code, derived) => {
    const config = { ...VALUES[code]!.config, ...derived };
    expect(resolveServer(manifestOfCode(code), { environment: "SANDBOX", config })).toMatchObject({
      ok: false,
      code: "host_not_allowed",
    });
  });

  test.each([
    "https://acme.my.salesforce.com@evil.example.com",
    "https://acme.my.salesforce.com\\.evil.example.com",
    "https://evil.example.com#.my.salesforce.com",
    "https://evil.example.com?.my.salesforce.com",
    "https://acme.my.salesforce.com/a/../b",
    "https://acme.my.salesforce.com/%2e%2e/b",
    "ftp://acme.my.salesforce.com",
    "javascript:alert(1)",
    "acme.my.salesforce.com",
    "https://",
  ])("an address from outside is a plain one or none: %p", (instanceUrl) => {
    const config = { ...VALUES["SALESFORCE"]!.config, instanceUrl };
    const resolved = resolveServer(manifestOfCode("SALESFORCE"), { environment: "PRODUCTION", config });
    expect(resolved).toMatchObject({ ok: false });
  });

  test("a value in a path stays one segment", () => {
    const resolve = (realmId: string) =>
      resolveServer(manifestOfCode("QUICKBOOKS"), { environment: "SANDBOX", config: { realmId } });
    expect(resolve("1/../../x")).toMatchObject({
      baseUrl: "https://sandbox-quickbooks.api.intuit.com/v3/company/1%2F..%2F..%2Fx",
    });
    expect(resolve("..")).toMatchObject({ ok: false, code: "value_invalid", field: "realmId" });
    expect(resolve("")).toMatchObject({ ok: false, code: "missing_value", field: "realmId" });
  });

  test("regions choose their server, and an unknown one none", () => {
    const base = (region: string) =>
      resolveServer(manifestOfCode("SAMSARA"), { environment: "PRODUCTION", config: { region } });
    expect(base("EU")).toMatchObject({ baseUrl: "https://api.eu.samsara.com" });
    expect(base("")).toMatchObject({ baseUrl: "https://api.samsara.com" });
    expect(base("MARS")).toMatchObject({ ok: false, code: "region_unknown", field: "region" });
    const zoho = resolveServer(manifestOfCode("ZOHO"), {
      environment: "PRODUCTION",
      config: { dataCenter: "EU" },
      name: "token",
    });
    expect(zoho).toMatchObject({ baseUrl: "https://accounts.zoho.eu/oauth/v2/token" });
  });

  test("TEST runs on the sandbox where there is no test system", () => {
    const of = (code: string) =>
      resolveServer(manifestOfCode(code), { environment: "TEST", config: VALUES[code]!.config });
    expect(of("DAT")).toMatchObject({ baseUrl: "https://freight.api.nprod.dat.com/posting" });
    expect(of("TRUCKSTOP")).toMatchObject({ baseUrl: "https://api-int.truckstop.com" });
  });

  test("a log-in host of all environments sees no API call", () => {
    const manifest = manifestOfCode("QUICKBOOKS");
    const input = { environment: "SANDBOX" as const, config: VALUES["QUICKBOOKS"]!.config };
    expect(resolveServer(manifest, { ...input, name: "token" })).toMatchObject({ ok: true });
    expect(mayCarryCredential(manifest, input, "https://sandbox-quickbooks.api.intuit.com/x")).toBe(true);
    for (const url of [
      "https://oauth.platform.intuit.com/x",
      "https://quickbooks.api.intuit.com/x",
      "https://evil.example.com/",
      "not a url",
    ])
      expect(mayCarryCredential(manifest, input, url)).toBe(false);
  });

  test("overrides cannot send a sandbox to production, even when they change both", () => {
    const original = manifestOfCode("123LOADBOARD");
    const changed = structuredClone(original);
    changed.servers[0]!.baseUrl = "https://else.example.com";
    changed.servers[0]!.urls = { authorize: "https://else.example.com", token: "https://else.example.com" };
    changed.servers[0]!.allowedHosts = ["else.example.com"];
    changed.servers[1]!.baseUrl = "https://api.123loadboard.com";
    changed.servers[1]!.urls = {
      authorize: "https://api.123loadboard.com",
      token: "https://api.123loadboard.com",
    };
    changed.servers[1]!.allowedHosts = ["api.123loadboard.com"];
    expect(checkOverridden(original, changed)).toEqual([
      { path: "/servers/1/allowedHosts/0", message: "is a production host of the provider" },
    ]);
  });
});

describe("matchesHost()", () => {
  test.each([
    ["api.example.com", "api.example.com", true],
    ["api.example.com", "API.Example.com.", true],
    ["api.example.com", "xapi.example.com", false],
    ["*.example.com", "a.example.com", true],
    ["*.example.com", "a.b.example.com", false],
    ["*.example.com", "example.com", false],
    ["*.example.com", ".example.com", false],
    ["[::1]", "[::1]", true],
  ])("%s means %s: %p", (pattern, host, expected) => {
    expect(matchesHost(pattern, host)).toBe(expected);
  });
});
