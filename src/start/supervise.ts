import { access, chmod, constants, mkdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { isatty } from "node:tty";
import { type Config, loadConfig } from "../platform/config.ts";
import { freePort, listenFault } from "../platform/process/free-port.ts";
import { retryUntil } from "../platform/process/retry-until.ts";
import { writeSecretFile } from "../platform/services/keep-secret.ts";
import { findLowDisk } from "../platform/services/low-disk.ts";
import type { Service } from "../platform/services/service.ts";
import { makeFirstTenant } from "./first-run.ts";
import { lockHome } from "../platform/process/home-lock.ts";
import { expectOk, hubServices } from "./hub-services.ts";
import { keepRunning, type KeptService } from "./keep-running.ts";
import { watchLaunchers } from "./launchers.ts";
import { openLogFile } from "./log-file.ts";
import { type Connections, provideServices } from "./provide-services.ts";
import { rollingRestarts } from "./rolling-restart.ts";
import { createTerminal, type Terminal } from "./terminal.ts";

/** All processes are up; this is for what they still connect to and recover. */
const READY_TIMEOUT_MS = 120_000;
const READY_POLL_MS = 100;

/** Requests in flight of one process: Bun's own bound of 256 would let one slow target delay all others unseen. */
const HTTP_REQUESTS_MAX = "4096";

/** Lines of children that the terminal is to see: pino's three upper levels, and Postgres' uppermost. */
const ECHOED = /"level":"(?:warn|error|fatal)"|\bPANIC:/;

/** Everything that has been started, in the order in which it has to stop. */
type Running = Record<"edges" | "workers" | "redis" | "postgres", KeptService[]>;

/**
 * The hub on one machine: embedded Postgres and Redis, edge and workers, until a signal comes.
 *
 * @returns exit code
 * @throws Error that says why it cannot start; nothing is left running
 */
export async function supervise(projectDir: string): Promise<number> {
  const startedMs = Date.now();
  const terminal = createTerminal((line) => console.log(line));
  const config = loadConfig();
  if (config.port === 0) config.port = freePort(config.host);
  config.hubHome = await openHome(config.hubHome);
  const baseUrl = `http://${localHost(config.host)}:${config.port}`;
  const unlock = await lockHome(config.hubHome, baseUrl);
  const stopRequest = Promise.withResolvers<string>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, stopRequest.resolve);
  let restart = (): void => terminal.say("Not restarted: the start is not over");
  process.on("SIGUSR2", () => restart());
  // From a terminal it means that the terminal is gone; without one it is how service managers ask for new processes.
  process.on("SIGHUP", (signal) => (hasTerminal() ? stopRequest.resolve(signal) : restart()));
  const unwatch = await watchLaunchers(() => stopRequest.resolve("the end of its launcher"));
  const running: Running = { edges: [], workers: [], redis: [], postgres: [] };
  try {
    // A stop during the start ends the wait; what has been started is stopped below.
    const early = await Promise.race([
      startAll({ projectDir, config, baseUrl, terminal, running }),
      stopRequest.promise,
    ]);
    if (early === undefined) {
      terminal.say(readyText(baseUrl, config.hubHome, Date.now() - startedMs));
      const services = (): KeptService[] => [...byNumber(running.edges), ...byNumber(running.workers)];
      restart = rollingRestarts({ home: config.hubHome, terminal, services });
      await stopRequest.promise;
    }
    terminal.say(`\nStopping (${await stopRequest.promise})`);
    return 0;
  } finally {
    unwatch();
    await stopAll(running, terminal);
    await rm(join(config.hubHome, "services.json"), { force: true });
    await unlock();
  }
}

/** They are listed as they became ready. */
function byNumber(services: readonly KeptService[]): KeptService[] {
  return services.toSorted((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
}

function hasTerminal(): boolean {
  return [0, 1, 2].some((descriptor) => isatty(descriptor));
}

/** Makes the folder; its real path, because Postgres' own record of its place knows no links. */
async function openHome(home: string): Promise<string> {
  try {
    await mkdir(home, { recursive: true, mode: 0o700 });
    await access(home, constants.W_OK | constants.X_OK);
    return await realpath(home);
  } catch (error) {
    throw new Error(
      `Cannot write to ${home}: ${(error as NodeJS.ErrnoException).code}. Is it another user's? Choose a folder by HUB_HOME.`,
      { cause: error },
    );
  }
}

/** Why edge could not listen, and which variable mends it. */
function listenAdvice({ host, port }: Config, fault: string): string {
  if (fault === "EADDRINUSE")
    return `port ${port} on ${host} is taken by another program. Choose one by PORT=<number>.`;
  if (fault === "EACCES") return `port ${port} is for root only. Choose one above 1023 by PORT=<number>.`;
  return `cannot listen on HOST=${host}, port ${port} (${fault}). Is it an address of this machine?`;
}

interface StartOptions {
  projectDir: string;
  config: Config;
  baseUrl: string;
  terminal: Terminal;
  running: Running;
}

async function startAll(options: StartOptions): Promise<undefined> {
  const { config, terminal, baseUrl, projectDir, running } = options;
  const home = config.hubHome;
  const fault = listenFault(config.host, config.port);
  if (fault !== undefined) throw new Error(`Cannot start: ${listenAdvice(config, fault)}`);
  terminal.say(`Integration Hub: data, keys and logs in ${home}`);
  // The keys below it are readable by their owner only in any case; this hides the names too. Not ours to change: fine.
  await chmod(home, 0o700).catch(() => undefined);
  const environment = definedVariables(process.env);
  const keepIn = (group: KeptService[]) => async (service: Service) => {
    group.push(await keepRunning(service, hooksFor(service, home, terminal)));
  };
  const connections = await provideServices({
    config,
    environment,
    terminal,
    keep: (service) => keepIn(service.name === "postgres" ? running.postgres : running.redis)(service),
  });
  await writeSecretFile(join(home, "services.json"), `${JSON.stringify(connections)}\n`);
  const env = processEnvironment(environment, config, connections);
  const { edges, workers } = hubServices({ projectDir, config, env, baseUrl });
  const firstRun = makeFirstTenant({ projectDir, home, baseUrl, env });
  await terminal.step("edge and workers", async () => {
    await Promise.all([
      ...edges.map(keepIn(running.edges)),
      ...workers.map(keepIn(running.workers)),
      firstRun,
    ]);
    await retryUntil(() => expectOk(`${baseUrl}/health/ready`), {
      everyMs: READY_POLL_MS,
      timeoutMs: READY_TIMEOUT_MS,
    });
  });
  const made = await firstRun;
  if (typeof made === "string") terminal.say(`\n${made}`);
  else if (made) {
    terminal.say(
      `\nFirst run. Tenant ${made.tenant.slug} (${made.tenant.id}), API key, shown this once:\n\n  ${made.apiKey}\n\n` +
        `Both are in ${join(home, "first-run.json")}, readable by you only.`,
    );
  }
  return undefined;
}

function hooksFor(service: Service, home: string, terminal: Terminal) {
  const log = openLogFile(join(home, "logs", `${service.name}.log`));
  return {
    onLine: (line: string) => {
      log.write(line);
      if (ECHOED.test(line)) terminal.echo(service.name, messageOf(line));
    },
    report: (text: string) => {
      // Servers without room say it in their own logs at best, which are on the same disk.
      void findLowDisk(home).then((low) =>
        terminal.echo(service.name, low ? `${text} (the disk of ${low.folder} is full)` : text),
      );
    },
  };
}

/** The message and the error of a JSON line; any other line as it is. */
function messageOf(line: string): string {
  try {
    const { level, msg, err } = JSON.parse(line) as {
      level?: string;
      msg?: string;
      err?: { message?: string };
    };
    return [level, msg, err?.message].filter((part) => part !== undefined && part !== "").join(": ");
  } catch {
    return line.slice(0, 500);
  }
}

/** No new requests first, then what is in the queues, then the stores; each waits for the one before. */
async function stopAll(running: Running, terminal: Terminal): Promise<void> {
  for (const group of ["edges", "workers", "redis", "postgres"] as const) {
    if (running[group].length === 0) continue;
    await terminal.step(`stopping ${group}`, () =>
      Promise.all(running[group].map((service) => service.stop())),
    );
  }
}

function processEnvironment(
  environment: Readonly<Record<string, string>>,
  config: Config,
  connections: Connections,
): Record<string, string> {
  return {
    BUN_CONFIG_MAX_HTTP_REQUESTS: HTTP_REQUESTS_MAX,
    ...environment,
    NODE_ENV: "production",
    HUB_HOME: config.hubHome,
    HOST: config.host,
    PORT: String(config.port),
    DATABASE_URL: connections.databaseUrl,
    REDIS_URL: connections.redisUrl,
    INTEGRATION_ENCRYPTION_KEY: connections.encryptionKey,
  };
}

function definedVariables(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** An address of this machine for one that listens everywhere. */
function localHost(host: string): string {
  if (host === "0.0.0.0" || host === "") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

function readyText(baseUrl: string, home: string, tookMs: number): string {
  return [
    `\nReady in ${(tookMs / 1000).toFixed(1)} s: ${baseUrl}`,
    `  documentation  ${baseUrl}/docs`,
    `  health         ${baseUrl}/health/ready`,
    `  logs           ${join(home, "logs")}`,
    "Stop with Ctrl-C.",
  ].join("\n");
}
