import { cpus } from "node:os";
import { resolve } from "node:path";
import { VARIABLES, type VariableName } from "./config-variables.ts";
import { StartError } from "./process/start-error.ts";

/** Requests allowed in a window of time. */
export interface WindowLimit {
  limit: number;
  windowSeconds: number;
}

/** The process's whole configuration: read once at start, passed down, never read again from the environment. */
export interface Config {
  host: string;
  port: number;
  publicUrl: string;
  hubHome: string;
  edgeProcesses: number;
  workerProcesses: number;
  databaseUrl: string | undefined;
  databaseAppUrl: string | undefined;
  databaseSystemUrl: string | undefined;
  redisUrl: string | undefined;
  redisVolatileUrl: string | undefined;
  redisDurability: "always" | "relaxed";
  ackReplicas: number;
  streamPartitions: number;
  streamCapacity: number;
  tenantCapacityShare: number;
  dedupeHotSeconds: number;
  dedupeMemoryShare: number;
  logBodyMaxBytes: number;
  trustedProxies: string[];
  apiRateLimit: WindowLimit;
  authJwksUrl: string | undefined;
  authJwtSecret: string | undefined;
  authIssuer: string | undefined;
  authAudience: string | undefined;
  integrationEncryptionKey: string | undefined;
  egressAllowCidrs: string[];
  egressAllowHttp: boolean;
  egressDnsServers: string[];
  alertWebhookUrl: string | undefined;
  alertWebhookSecret: string | undefined;
  alertEmailTo: string[];
  smtpUrl: string | undefined;
  logLevel: "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";
  otelExporterOtlpEndpoint: string | undefined;
  defaultRateLimit: number;
  rateLimitWindowSeconds: number;
  defaultTimeoutSeconds: number;
  webhookTimeoutSeconds: number;
  defaultMaxRetries: number;
  webhookMaxRetries: number;
  circuitFailureThreshold: number;
  circuitTimeoutSeconds: number;
  logRequestBodies: boolean;
  logResponseBodies: boolean;
  logRetentionDays: number;
  webhookQueueSize: number;
  webhookWorkers: number;
}

/** Every fault of the environment at once, so that an operator mends them in one go. */
export class ConfigError extends StartError {
  override name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `Cannot start: ${problems.length} configuration problem${problems.length === 1 ? "" : "s"}\n` +
        problems.map((problem) => `  - ${problem}`).join("\n"),
    );
    this.problems = problems;
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads and checks every variable of the specification ("Environment Variables") and of the hub's own list.
 *
 * @param env the environment; `process.env` when left out
 * @throws ConfigError naming every problem, not just the first
 */
export function loadConfig(env: Environment = process.env): Config {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(VARIABLES) as VariableName[]) {
    const variable = VARIABLES[name];
    const given = env[name]?.trim();
    const text = given === undefined || given === "" ? variable.defaultText : given;
    const parsed = text === undefined ? { value: variable.emptyValue } : variable.parse(text);
    if ("problem" in parsed) {
      problems.push(`${name}=${variable.secret ? "…" : JSON.stringify(text)}: ${parsed.problem}`);
    } else {
      values[camelCase(name)] = parsed.value;
    }
  }
  problems.push(...crossChecks(values));
  if (problems.length > 0) throw new ConfigError(problems);
  const config = values as unknown as Config;
  config.hubHome = resolve(config.hubHome);
  config.publicUrl = (config.publicUrl || `http://${displayHost(config.host)}:${config.port}`).replace(
    /\/+$/,
    "",
  );
  return config;
}

/** @param config what could be read; a variable with a problem of its own is left out */
function crossChecks(config: Partial<Config>): string[] {
  const problems: string[] = [];
  if (config.authJwksUrl && config.authJwtSecret) {
    problems.push("AUTH_JWKS_URL and AUTH_JWT_SECRET: give one, not both (which keys are to be trusted?)");
  }
  if ((config.authJwksUrl || config.authJwtSecret) && (!config.authIssuer || !config.authAudience)) {
    problems.push(
      "AUTH_ISSUER and AUTH_AUDIENCE are needed with AUTH_JWKS_URL or AUTH_JWT_SECRET: a token for another service must not open this one",
    );
  }
  if (config.edgeProcesses !== undefined && config.edgeProcesses > 4 * cpus().length) {
    problems.push(
      `EDGE_PROCESSES=${config.edgeProcesses}: more than four for each of ${cpus().length} cores`,
    );
  }
  return problems;
}

/** `0.0.0.0` and `::` are no addresses that a person can open; shows the loopback address instead. */
function displayHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

function camelCase(name: string): string {
  return name.toLowerCase().replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

const PROXY_VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].flatMap((name) => [
  name,
  name.toLowerCase(),
]);

/**
 * Removes the variables by which `fetch` would send every call out through a proxy: the proxy would see the
 * credentials, and resolve host names behind the back of the address check.
 *
 * @returns the names that were set
 */
export function dropProxyVariables(env: Record<string, string | undefined> = process.env): string[] {
  const found = PROXY_VARIABLES.filter((name) => env[name] !== undefined);
  for (const name of found) delete env[name];
  return found;
}
