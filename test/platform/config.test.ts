import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { ConfigError, dropProxyVariables, loadConfig } from "../../src/platform/config.ts";
import { VARIABLES } from "../../src/platform/config-variables.ts";

/** Defaults of the specification ("Environment Variables") and of the hub's own list. */
const DEFAULTS = {
  integrationEncryptionKey: undefined,
  defaultRateLimit: 100,
  rateLimitWindowSeconds: 60,
  defaultTimeoutSeconds: 30,
  webhookTimeoutSeconds: 30,
  defaultMaxRetries: 3,
  webhookMaxRetries: 5,
  circuitFailureThreshold: 5,
  circuitTimeoutSeconds: 60,
  logRequestBodies: true,
  logResponseBodies: true,
  logRetentionDays: 30,
  webhookQueueSize: 1000,
  webhookWorkers: 4,
  host: "127.0.0.1",
  port: 8080,
  publicUrl: "http://127.0.0.1:8080",
  hubHome: resolve(".hub"),
  edgeProcesses: 1,
  workerProcesses: 1,
  databaseUrl: undefined,
  databaseAppUrl: undefined,
  databaseSystemUrl: undefined,
  redisUrl: undefined,
  redisVolatileUrl: undefined,
  redisDurability: "always",
  ackReplicas: 0,
  streamPartitions: 16,
  streamCapacity: 1_000_000,
  tenantCapacityShare: 0.25,
  dedupeHotSeconds: 43_200,
  dedupeMemoryShare: 0.25,
  logBodyMaxBytes: 65_536,
  trustedProxies: [],
  apiRateLimit: { limit: 600, windowSeconds: 60 },
  authJwksUrl: undefined,
  authJwtSecret: undefined,
  authIssuer: undefined,
  authAudience: undefined,
  egressAllowCidrs: [],
  egressAllowHttp: false,
  egressDnsServers: [],
  alertWebhookUrl: undefined,
  alertEmailTo: [],
  smtpUrl: undefined,
  logLevel: "info",
  otelExporterOtlpEndpoint: undefined,
};

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe("loadConfig()", () => {
  test("loadConfig() gives every variable its documented default", () => {
    expect(loadConfig({})).toEqual(DEFAULTS as never);
  });

  test("loadConfig() takes an empty or blank variable for one that is not set", () => {
    const blank = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, "  "]));
    expect(loadConfig(blank)).toEqual(DEFAULTS as never);
  });

  test("loadConfig() lists all problems at once", () => {
    const problems = problemsOf({
      PORT: "70000",
      LOG_REQUEST_BODIES: "yes",
      REDIS_DURABILITY: "never",
      REDIS_URL: "http://x",
      TRUSTED_PROXIES: "10.0.0.0/8, no-address",
      API_RATE_LIMIT: "600",
      TENANT_CAPACITY_SHARE: "0",
      LOG_RETENTION_DAYS: "1e3",
    });
    expect(problems.map((problem) => problem.split("=")[0]).sort()).toEqual([
      "API_RATE_LIMIT",
      "LOG_REQUEST_BODIES",
      "LOG_RETENTION_DAYS",
      "PORT",
      "REDIS_DURABILITY",
      "REDIS_URL",
      "TENANT_CAPACITY_SHARE",
      "TRUSTED_PROXIES",
    ]);
  });

  test.each([
    ["TRUSTED_PROXIES", "300.1.1.1"],
    ["TRUSTED_PROXIES", "10.0.0.0/33"],
    ["EGRESS_ALLOW_CIDRS", "::1/129"],
    ["INTEGRATION_ENCRYPTION_KEY", "short"],
    ["INTEGRATION_ENCRYPTION_KEY", "k1:AAAA"],
    ["AUTH_JWT_SECRET", "short"],
    ["HOST", "no host!"],
    ["PUBLIC_URL", "https://"],
    ["PUBLIC_URL", "https://hub.example/?from=docs"],
    ["PUBLIC_URL", "https://hub.example/#top"],
    ["PUBLIC_URL", "https://user:word@hub.example"],
    ["AUTH_JWKS_URL", "https://a b/jwks"],
  ])("loadConfig() lists %s=%s beside the other problems, not where it is first used", (name, value) => {
    const named = problemsOf({ [name]: value, PORT: "70000" }).map((problem) => problem.split("=")[0]);
    expect(named).toContain(name);
    expect(named).toContain("PORT");
  });

  test("loadConfig() lists what variables ask of each other beside the other problems", () => {
    const problems = problemsOf({ PORT: "70000", AUTH_JWT_SECRET: "0123456789abcdef0123456789abcdef" });
    expect(problems).toHaveLength(2);
    expect(problems.join()).toContain("AUTH_ISSUER");
  });

  test("loadConfig() shows no secret in its problems", () => {
    const problems = problemsOf({
      INTEGRATION_ENCRYPTION_KEY: "cnry_ring:cnry_key",
      AUTH_JWT_SECRET: "cnry_jwt",
      DATABASE_URL: "mysql://u:cnry_db@h/d",
      REDIS_URL: "cnry_redis",
      SMTP_URL: "cnry_smtp",
      ALERT_WEBHOOK_URL: "hooks.example/cnry_path",
    });
    expect(problems).toHaveLength(6);
    expect(problems.join()).not.toContain("cnry_");
  });

  test("loadConfig() asks for issuer and audience with a way to verify tokens, and for one way only", () => {
    const secret = "0123456789abcdef0123456789abcdef";
    expect(problemsOf({ AUTH_JWT_SECRET: secret })).toHaveLength(1);
    expect(
      problemsOf({
        AUTH_JWT_SECRET: secret,
        AUTH_JWKS_URL: "https://a/jwks",
        AUTH_ISSUER: "i",
        AUTH_AUDIENCE: "a",
      }),
    ).toHaveLength(1);
    expect(problemsOf({ AUTH_JWT_SECRET: secret, AUTH_ISSUER: "i", AUTH_AUDIENCE: "a" })).toEqual([]);
  });

  test("loadConfig() reads lists and limits", () => {
    const config = loadConfig({
      TRUSTED_PROXIES: "10.0.0.0/8, ::1 ,192.168.1.1",
      API_RATE_LIMIT: "5/2",
      PUBLIC_URL: "https://hub.example/",
    });
    expect(config.trustedProxies).toEqual(["10.0.0.0/8", "::1", "192.168.1.1"]);
    expect(config.apiRateLimit).toEqual({ limit: 5, windowSeconds: 2 });
    expect(config.publicUrl).toBe("https://hub.example");
  });

  test("loadConfig() makes an address that can be opened where HOST is every address", () => {
    expect(loadConfig({ HOST: "0.0.0.0", PORT: "81" }).publicUrl).toBe("http://127.0.0.1:81");
    expect(loadConfig({ HOST: "::1" }).publicUrl).toBe("http://[::1]:8080");
  });
});

describe("dropProxyVariables()", () => {
  test("dropProxyVariables() removes what would send calls out through a proxy, and names it", () => {
    const env: Record<string, string | undefined> = {
      HTTP_PROXY: "http://p",
      https_proxy: "http://p",
      PATH: "/bin",
    };
    expect(dropProxyVariables(env)).toEqual(["HTTP_PROXY", "https_proxy"]);
    expect(env).toEqual({ PATH: "/bin" });
  });
});
