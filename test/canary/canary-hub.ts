import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { migrate } from "../../src/platform/postgres/migrate.ts";
import { deriveRoleUrls } from "../../src/platform/postgres/roles.ts";
import { freePort } from "../../src/platform/process/free-port.ts";
import { preparePostgres } from "../../src/platform/services/postgres-service.ts";
import type { RunningService } from "../../src/platform/services/service.ts";
import { connectRedis } from "../../src/platform/redis/client.ts";
import { untilReady } from "../../src/platform/redis/info.ts";
import { startTestRedis } from "../support/services.ts";
import type { Canary, Haystack } from "./needles.ts";

const ROOT = join(import.meta.dir, "../..");

type ProcessKind = "edge" | "worker";

const MAIN: Record<ProcessKind, string> = { edge: "src/edge/main.ts", worker: "workers/main.ts" };

/** A whole hub on services of its own, whose files and output can be searched. */
export class CanaryHub {
  readonly canaries: Canary[] = [];
  readonly #home = mkdtempSync(join(tmpdir(), "hub-canary-"));
  readonly #output: string[] = [];
  readonly #answers: string[] = [];
  readonly #children = new Map<ProcessKind, Bun.Subprocess>();
  #redis!: Awaited<ReturnType<typeof startTestRedis>>;
  #redisUrl = "";
  #postgres!: RunningService;
  #superuserUrl = "";
  #env: Record<string, string> = {};
  baseUrl = "";

  /** Adds a secret to look for; gives it back for use. */
  secret(slot: string, secret: string = `cnry_${crypto.randomUUID()}`): string {
    this.canaries.push({ slot, secret });
    return secret;
  }

  async start(env: Record<string, string>): Promise<void> {
    const keep = (line: string): void => void this.#output.push(line);
    const prepared = await preparePostgres({
      home: this.#home,
      path: process.env["PATH"] ?? "",
      report: () => undefined,
      // What is compressed in the log of changes could not be searched.
      settings: { wal_compression: "off" },
    });
    this.#postgres = await prepared.service.start(keep);
    this.#superuserUrl = prepared.superuserUrl;
    const ownerUrl = await prepared.createOwnerDatabase();
    const encryptionKey = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64");
    const encryptionKeys = `k1:${this.secret("INTEGRATION_ENCRYPTION_KEY", encryptionKey)}`;
    await migrate({ ownerUrl, encryptionKeys });
    const roles = deriveRoleUrls(ownerUrl, encryptionKeys);
    this.secret("password of the owner", passwordIn(ownerUrl));
    this.secret("password of hub_app", passwordIn(roles.appUrl));
    this.secret("password of hub_system", passwordIn(roles.systemUrl));
    await this.#startRedis();
    const port = freePort();
    this.baseUrl = `http://127.0.0.1:${port}`;
    this.#env = {
      PATH: process.env["PATH"] ?? "",
      HOST: "127.0.0.1",
      PORT: String(port),
      DATABASE_URL: ownerUrl,
      REDIS_URL: this.#redisUrl,
      INTEGRATION_ENCRYPTION_KEY: encryptionKeys,
      STREAM_PARTITIONS: "4",
      LOG_LEVEL: "debug",
      ...env,
    };
    await this.spawn("worker");
    await this.spawn("edge");
  }

  async #startRedis(): Promise<void> {
    this.#redis = await startTestRedis();
    const password = this.secret("password of Redis");
    const admin = connectRedis(this.#redis.url, "control", () => undefined);
    await untilReady(admin, 30_000);
    await admin.call("ACL", "SETUSER", "hub", "on", `>${password}`, "~*", "&*", "+@all");
    admin.disconnect();
    this.#redisUrl = this.#redis.url.replace("://", `://hub:${password}@`);
  }

  /** Starts a process of the hub and waits until it works. */
  async spawn(kind: ProcessKind): Promise<void> {
    const child = Bun.spawn([process.execPath, MAIN[kind]], {
      cwd: ROOT,
      env: this.#env,
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#children.set(kind, child);
    void this.#keepOutput(child.stdout);
    void this.#keepOutput(child.stderr);
    if (kind === "worker") return;
    while ((await fetch(`${this.baseUrl}/health/live`).catch(() => undefined)) === undefined) {
      if (child.exitCode !== null) throw new Error(`edge ended: ${this.#output.slice(-20).join("\n")}`);
      await Bun.sleep(20);
    }
  }

  async kill(kind: ProcessKind): Promise<void> {
    const child = this.#children.get(kind)!;
    child.kill("SIGKILL");
    await child.exited;
  }

  async #keepOutput(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    const reader = stream.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      this.#output.push(decoder.decode(read.value, { stream: true }));
    }
  }

  /** Runs the hub's own command and gives its answer. */
  async command(...args: string[]): Promise<unknown> {
    const child = Bun.spawn([process.execPath, "src/cli/main.ts", ...args], {
      cwd: ROOT,
      env: this.#env,
      stdout: "pipe",
      stderr: "pipe",
    });
    void this.#keepOutput(child.stderr);
    return JSON.parse(await new Response(child.stdout).text());
  }

  /** Calls the hub; the answer is searched later, unless it is one that shows a secret once. */
  async call(
    path: string,
    init: RequestInit = {},
    options: { showsSecretOnce?: true } = {},
  ): Promise<CallAnswer> {
    const response = await fetch(`${this.baseUrl}${path}`, init);
    const text = await response.text();
    if (options.showsSecretOnce === undefined) {
      this.#answers.push(JSON.stringify([...response.headers]), text);
    }
    return { status: response.status, text };
  }

  /** Keeps an answer that a browser got for the search. */
  keepAnswer(text: string): void {
    this.#answers.push(text);
  }

  async query<Row extends object>(statement: string): Promise<Row[]> {
    const sql = postgres(this.#databaseUrl(), { max: 1 });
    try {
      return await sql.unsafe<Row[]>(statement);
    } finally {
      await sql.end();
    }
  }

  /** Everything that was said, answered or stored. */
  async haystacks(): Promise<Haystack[]> {
    return [
      { place: "process output", bytes: Buffer.from(this.#output.join("\n")) },
      { place: "HTTP answers", bytes: Buffer.from(this.#answers.join("\n")) },
      ...(await this.#tables()),
      ...filesBelow(join(this.#home, "postgres", "pg_wal"), "WAL"),
      ...filesBelow(this.#redis.dir, "AOF"),
    ];
  }

  async #tables(): Promise<Haystack[]> {
    const tables = await this.query<{ name: string }>(
      "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'hub_meta')",
    );
    const dumps: Haystack[] = [];
    for (const { name } of tables) {
      const rows = await this.query<{ row: string }>(`select t::text as row from ${name} t`);
      if (rows.length > 0)
        dumps.push({ place: `table ${name}`, bytes: Buffer.from(rows.map(({ row }) => row).join("\n")) });
    }
    return dumps;
  }

  #databaseUrl(): string {
    const url = new URL(this.#superuserUrl);
    url.pathname = new URL(this.#env["DATABASE_URL"]!).pathname;
    return url.href;
  }

  /** Puts a secret into every kind of place, to prove that the search finds it there. */
  async plant(secret: string): Promise<void> {
    this.#output.push(`{"msg":"${secret}"}`);
    this.#answers.push(secret);
    await this.query(
      `create table planted as select '${secret}'::text as secret, convert_to('${secret}', 'UTF8') as bytes`,
    );
    const redis = connectRedis(this.#redisUrl, "control", () => undefined);
    await untilReady(redis, 30_000);
    await redis.set("planted", Buffer.from(`user:${secret}`).toString("base64"));
    redis.disconnect();
  }

  async stop(): Promise<void> {
    for (const child of this.#children.values()) child.kill("SIGKILL");
    await Promise.all([...this.#children.values()].map((child) => child.exited));
    await this.#redis.stop();
    await this.#postgres.stop();
    rmSync(this.#home, { recursive: true, force: true });
  }
}

/** Status and text of one answer. */
export interface CallAnswer {
  status: number;
  text: string;
}

function passwordIn(url: string): string {
  return decodeURIComponent(new URL(url).password);
}

function filesBelow(folder: string, kind: string): Haystack[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return { place: `${kind} ${entry.name}`, bytes: readFileSync(path) };
    });
}
