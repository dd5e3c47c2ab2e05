import { openSync } from "node:fs";
import { chown, mkdir, open, readFile, readlink, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import { freePort } from "../process/free-port.ts";
import { runCommand } from "../process/run-command.ts";
import { type SystemUser, unprivilegedUser } from "../process/system-user.ts";
import { scramVerifier } from "../postgres/roles.ts";
import { findPostgres, type PostgresBinaries } from "./find-postgres.ts";
import { keepSecret, randomPassword } from "./keep-secret.ts";
import { processService, type Service } from "./service.ts";

/** Settings that differ from Postgres' own defaults or that the hub's promises rest on, each with its reason. */
const SETTINGS: Record<string, string> = {
  listen_addresses: "127.0.0.1",
  // Over TCP alone, so that no file name length and no folder right matters.
  unix_socket_directories: "",
  // The three that "a 200 means it is safe" rests on; checked again by every process at boot.
  fsync: "on",
  full_page_writes: "on",
  synchronous_commit: "on",
  // Holds the newest day partitions' indexes; more would be taken from Redis on a small machine.
  shared_buffers: "256MB",
  // Log rows are written all the time: the default of 1 GB makes a checkpoint (and full page images) every minute.
  max_wal_size: "2GB",
  checkpoint_timeout: "15min",
  wal_compression: "on",
  // 12 connections a process, and some for the command line and an administrator.
  max_connections: "300",
  // A log search must not take every core from the accept path.
  max_parallel_workers_per_gather: "0",
  // Compiling costs more than it gains on statements of milliseconds.
  jit: "off",
  log_checkpoints: "off",
  // A failed statement's text and row would carry tenants' data into the log.
  log_min_error_statement: "panic",
  log_error_verbosity: "terse",
  log_timezone: "UTC",
  timezone: "UTC",
};

/** What initdb is told; `C` sorts alike everywhere, so that a new C library cannot break an index. */
const INITDB_OPTIONS = [
  "--username=postgres",
  "--auth=scram-sha-256",
  "--encoding=UTF8",
  "--locale=C",
  "--pwfile=/dev/stdin",
];

const INITDB_TIMEOUT_MS = 120_000;

/** The last checkpoint of a fast shutdown writes what is dirty: 256 MB on a slow disk. */
const STOP_TIMEOUT_MS = 60_000;
const READY_TIMEOUT_MS = 300_000;

/** An orphan has had its signal; this is for the disk to follow. */
const ORPHAN_TIMEOUT_MS = 15_000;

const OWNER_ROLE = "hub_owner";
const DATABASE = "hub";

/** Accepting needs Redis, not Postgres: under a burst the answers go first, and what waits is written afterwards. */
const NICENESS = 10;

export interface EmbeddedPostgres {
  service: Service;
  dataDir: string;
  version: string;
  port: number;
  /** For set-up and tests; no process of the hub gets it. */
  superuserUrl: string;
  /** Makes the owner's role and the database when they are missing; the server has to run. */
  createOwnerDatabase(): Promise<string>;
}

/**
 * Prepares an embedded Postgres with its data in `<home>/postgres` and its passwords in `<home>/keys`: finds the
 * programs, makes the data on first use.
 *
 * @param options.path value of PATH
 * @param options.report called with what takes time, in words for the terminal
 * @throws Error with what to install
 */
export async function preparePostgres(options: {
  home: string;
  path: string;
  report: (text: string) => void;
  settings?: Readonly<Record<string, string>>;
}): Promise<EmbeddedPostgres> {
  const { home } = options;
  const dataDir = join(home, "postgres");
  const owner = await stat(dataDir).catch(() => undefined);
  const runAs = unprivilegedUser(owner && { uid: owner.uid, gid: owner.gid });
  const binaries = await findPostgres({ path: options.path, dataMajor: await dataMajorOf(dataDir), runAs });
  const password = await keepSecret(
    join(home, "keys", "postgres-superuser"),
    randomPassword,
    versionFile(dataDir),
  );
  if ((await dataMajorOf(dataDir)) === undefined) {
    options.report(`making the database files (PostgreSQL ${binaries.version})`);
    await makeData({ dataDir, binaries, runAs, password });
  }
  await waitForOrphan(dataDir);
  // Open as long as this process lives: each restart hands it on again.
  const folderFd = runAs ? openSync(dataDir, "r") : undefined;
  const port = freePort();
  const superuserUrl = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  const settings = { ...SETTINGS, ...options.settings, port: String(port) };
  const service = processService({
    child: {
      name: "postgres",
      argv: [
        join(binaries.binDir, "postgres"),
        "-D",
        seenFrom(dataDir, runAs),
        ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ],
      env: { PATH: "/usr/bin:/bin", LANG: "C" },
      niceness: NICENESS,
      cwd: "/",
      runAs,
      thirdFd: folderFd,
      // The postmaster ends its own children at once; the next start recovers from the log.
      deathSignal: "QUIT",
    },
    stopSignal: "SIGINT",
    stopTimeoutMs: STOP_TIMEOUT_MS,
    readyTimeoutMs: READY_TIMEOUT_MS,
    probe: () => withConnection(superuserUrl, async (sql) => void (await sql`select 1`)),
  });
  return {
    service,
    dataDir,
    version: binaries.version,
    port,
    superuserUrl,
    createOwnerDatabase: () => createOwnerDatabase(home, superuserUrl, port),
  };
}

/** Made by initdb; where it stands, there is data. */
export function versionFile(dataDir: string): string {
  return join(dataDir, "PG_VERSION");
}

/** Major version of the data in a folder; undefined where there is none yet. */
async function dataMajorOf(dataDir: string): Promise<number | undefined> {
  const text = await readFile(versionFile(dataDir), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  return text === undefined ? undefined : Number.parseInt(text, 10);
}

/**
 * The data folder's name for the server. A user that root dropped to may not walk a 0700 home above it; descriptor 3,
 * opened by root and inherited by every process of the server, needs no walk.
 */
function seenFrom(dataDir: string, runAs: SystemUser | undefined): string {
  return runAs ? "/proc/self/fd/3" : dataDir;
}

async function makeData(options: {
  dataDir: string;
  binaries: PostgresBinaries;
  runAs: SystemUser | undefined;
  password: string;
}): Promise<void> {
  const { dataDir, runAs } = options;
  // Made beside and renamed: an initdb that was killed half-way leaves nothing that looks like data.
  const unfinished = `${dataDir}.new`;
  const passwordFile = `${dataDir}.password`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  await rm(passwordFile, { force: true });
  const input = await open(passwordFile, "w+", 0o600);
  const folder = runAs ? await open(unfinished, "r") : undefined;
  try {
    await input.write(`${options.password}\n`, 0);
    if (runAs) {
      await chown(unfinished, runAs.uid, runAs.gid);
      // initdb opens its standard input anew by name, as the dropped user.
      await input.chown(runAs.uid, runAs.gid);
    }
    await runCommand(
      {
        name: "initdb",
        argv: [join(options.binaries.binDir, "initdb"), ...INITDB_OPTIONS, "-D", seenFrom(unfinished, runAs)],
        env: { PATH: "/usr/bin:/bin", LANG: "C" },
        cwd: "/",
        runAs,
        thirdFd: folder?.fd,
        stdinFd: input.fd,
      },
      INITDB_TIMEOUT_MS,
    );
  } finally {
    await Promise.all([input.close(), folder?.close()]);
    await rm(passwordFile, { force: true });
  }
  await rename(unfinished, dataDir);
}

/**
 * After a SIGKILL of the supervisor the old server may still be ending. Its pid file also outlives a machine, where the
 * pid may belong to anything by now, for which Postgres would refuse to start.
 */
async function waitForOrphan(dataDir: string): Promise<void> {
  const pidFile = join(dataDir, "postmaster.pid");
  const pid = Number.parseInt(await readFile(pidFile, "utf8").catch(() => ""), 10);
  if (!(pid > 0) || process.platform !== "linux") return;
  const deadline = Date.now() + ORPHAN_TIMEOUT_MS;
  const worksThere = async (): Promise<boolean> =>
    (await readlink(`/proc/${pid}/cwd`).catch(() => "")) === dataDir;
  while (await worksThere()) {
    if (Date.now() > deadline) {
      throw new Error(`Cannot start Postgres: process ${pid} still uses ${dataDir}; end it first`);
    }
    await Bun.sleep(50);
  }
  await rm(pidFile, { force: true });
}

/** `hub_owner`, who may make roles and owns the database, but is no superuser: row-level security binds it too. */
async function createOwnerDatabase(home: string, superuserUrl: string, port: number): Promise<string> {
  const password = await keepSecret(join(home, "keys", "postgres-owner"), randomPassword);
  await withConnection(superuserUrl, async (sql) => {
    const [roles, databases] = await Promise.all([
      sql`select 1 from pg_roles where rolname = ${OWNER_ROLE}`,
      sql`select 1 from pg_database where datname = ${DATABASE}`,
    ]);
    if (roles.length === 0) {
      await sql.unsafe(`create role ${OWNER_ROLE} login createrole password '${scramVerifier(password)}'`);
    }
    if (databases.length === 0) await sql.unsafe(`create database ${DATABASE} owner ${OWNER_ROLE}`);
  });
  return `postgres://${OWNER_ROLE}:${password}@127.0.0.1:${port}/${DATABASE}`;
}

async function withConnection<T>(url: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, connect_timeout: 5, fetch_types: false, onnotice: () => undefined });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
