import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { VARIABLES } from "../../src/platform/config-variables.ts";
import { freePort } from "../../src/platform/process/free-port.ts";
import type { LoadEndpoint } from "./load-endpoint.ts";
import { type ProcessGroups, processTree } from "./process-cpu.ts";

export interface Tenant {
  id: string;
  slug: string;
  apiKey: string;
}

/** A hub started by its own `start` with default settings, on data of its own that is removed afterwards. */
export interface HubUnderTest {
  baseUrl: string;
  /** HUB_HOME. */
  home: string;
  /** Process of `start`; everything else is below it. */
  pid: number;
  stop(): Promise<void>;
}

const PROJECT = resolve(import.meta.dir, "../..");

/** A first start may have to fetch Postgres and Redis. */
const START_TIMEOUT_MS = 240_000;
const STOP_TIMEOUT_MS = 60_000;
const OUTPUT_LINES_KEPT = 40;

/**
 * Starts a hub as a user would, with no variable of its own but HUB_HOME and PORT, and waits until it is ready.
 *
 * @param overrides variables that are the subject of a benchmark
 * @throws Error with the last lines of its output when it does not become ready
 */
export async function startHub(overrides: Readonly<Record<string, string>> = {}): Promise<HubUnderTest> {
  const home = await mkdtemp(join(tmpdir(), "hub-bench-"));
  const port = freePort();
  const env: Record<string, string | undefined> = { ...process.env };
  for (const name of Object.keys(VARIABLES)) delete env[name];
  const child = Bun.spawn([process.execPath, "src/start/main.ts"], {
    cwd: PROJECT,
    env: { ...env, HUB_HOME: home, PORT: String(port), ...overrides },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const killAtExit = (): void => {
    child.kill("SIGKILL");
    rmSync(home, { recursive: true, force: true });
  };
  process.once("exit", killAtExit);
  const output: string[] = [];
  void collect(child.stdout, output);
  void collect(child.stderr, output);
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    // Cleared afterwards: a timer that runs on would hold the benchmark for the rest of its minute.
    const killTimer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await child.exited;
    clearTimeout(killTimer);
    process.off("exit", killAtExit);
    await rm(home, { recursive: true, force: true });
  };
  const baseUrl = `http://127.0.0.1:${port}`;
  const deadlineMs = Date.now() + START_TIMEOUT_MS;
  while (!(await isReady(baseUrl, home))) {
    if (child.exitCode !== null || Date.now() > deadlineMs) {
      await stop();
      throw new Error(`The hub did not become ready:\n${output.join("")}`);
    }
    await Bun.sleep(200);
  }
  return { baseUrl, home, pid: child.pid, stop };
}

async function isReady(baseUrl: string, home: string): Promise<boolean> {
  if (!existsSync(join(home, "first-run.json"))) return false;
  try {
    const response = await fetch(`${baseUrl}/health/ready`, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

async function collect(stream: ReadableStream<Uint8Array>, output: string[]): Promise<void> {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    output.push(new TextDecoder().decode(value));
    if (output.length > OUTPUT_LINES_KEPT) output.shift();
  }
}

/** Addresses of the hub's Postgres and Redis, as `start` left them for its user. */
export interface HubServices {
  databaseUrl: string;
  redisUrl: string;
  encryptionKey: string;
}

export function readServices(hub: HubUnderTest): HubServices {
  return JSON.parse(readFileSync(join(hub.home, "services.json"), "utf8")) as HubServices;
}

/** The hub's processes by what they do, read from their command lines. */
export function hubProcesses(hub: HubUnderTest): ProcessGroups {
  const groups: Record<string, number[]> = { edge: [], worker: [], redis: [], postgres: [], other: [] };
  for (const { pid, command } of processTree(hub.pid)) {
    const group = command.includes("src/edge/main.ts")
      ? "edge"
      : command.includes("workers/main.ts")
        ? "worker"
        : /(redis|valkey)-server/.test(command)
          ? "redis"
          : /postgres/.test(command)
            ? "postgres"
            : "other";
    groups[group]!.push(pid);
  }
  return groups;
}

/** Makes a tenant by the hub's own command. */
export async function createTenant(hub: HubUnderTest, slug: string): Promise<Tenant> {
  const child = Bun.spawn([process.execPath, "src/cli/main.ts", "tenants", "create", "--slug", slug], {
    cwd: PROJECT,
    env: { ...process.env, HUB_HOME: hub.home },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`Cannot create the tenant ${slug}: ${errors}${output}`);
  const created = JSON.parse(output) as { tenant: { id: string; slug: string }; apiKey: string };
  return { ...created.tenant, apiKey: created.apiKey };
}

const TENANTS = 10;
const ENDPOINTS_OF_A_TENANT = 10;

/** The senders of the accept benchmarks: 10 tenants with 10 endpoints each. */
export async function createSenders(hub: HubUnderTest): Promise<LoadEndpoint[]> {
  console.log(`Making ${TENANTS} tenants with ${ENDPOINTS_OF_A_TENANT} endpoints each`);
  const endpoints: LoadEndpoint[] = [];
  for (let tenantIndex = 0; tenantIndex < TENANTS; tenantIndex++) {
    const tenant = await createTenant(hub, `bench-${tenantIndex}`);
    for (let index = 0; index < ENDPOINTS_OF_A_TENANT; index++) {
      endpoints.push(await createEndpoint(hub, tenant, `endpoint-${index}`));
    }
  }
  return endpoints;
}

/**
 * One call of the management API.
 *
 * @throws Error with status and body when it is not answered with 2xx
 */
export async function callHub<T>(
  hub: HubUnderTest,
  tenant: Tenant,
  call: { method: "GET" | "POST" | "PUT"; path: string; body?: unknown },
): Promise<T> {
  const response = await fetch(hub.baseUrl + call.path, {
    method: call.method,
    headers: { authorization: `Bearer ${tenant.apiKey}`, "content-type": "application/json" },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    signal: AbortSignal.timeout(15_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${call.method} ${call.path} answered ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}

/**
 * Makes an inbound endpoint with the GitHub scheme, whose signature covers the body alone and whose event id is a
 * header.
 *
 * @param settings further fields of the endpoint
 */
export async function createEndpoint(
  hub: HubUnderTest,
  tenant: Tenant,
  endpointPath: string,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<LoadEndpoint> {
  const secret = crypto.randomUUID() + crypto.randomUUID();
  await callHub(hub, tenant, {
    method: "POST",
    path: "/api/v1/webhooks/endpoints",
    body: { endpointPath, handlerType: "CUSTOM", signatureScheme: "github", secretKey: secret, ...settings },
  });
  return { path: `/webhooks/${tenant.slug}/${endpointPath}`, scheme: "github", secret };
}
