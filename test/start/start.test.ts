import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir, readFile, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { startTestPostgres, startTestRedis } from "../support/services.ts";
import { childrenOf, processesOf, readFirstRun, type StartedHub, startHub } from "../support/started-hub.ts";

const TIMEOUT_MS = 120_000;

let home: string;
let hub: StartedHub;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "hub-start-"));
  hub = await startHub(home);
}, TIMEOUT_MS);

afterAll(async () => {
  hub.kill("SIGTERM");
  await hub.ended;
  await rm(home, { recursive: true, force: true });
}, TIMEOUT_MS);

async function status(path: string, apiKey?: string): Promise<number> {
  const headers: Record<string, string> = apiKey ? { authorization: `Bearer ${apiKey}` } : {};
  return (await fetch(`${hub.baseUrl}${path}`, { headers })).status;
}

/** Waits until nothing is left of the last run. */
function allGone(): Promise<void> {
  const attempt = async (): Promise<void> => {
    const left = await processesOf(home);
    if (left.length > 0) throw new Error(`Still running: ${left.join(", ")}`);
  };
  return retryUntil(attempt, { everyMs: 50, timeoutMs: 60_000 });
}

describe("start", () => {
  test("start brings up a hub that is ready", async () => {
    expect(hub.terminal()).toContain(`Ready in`);
    expect(hub.terminal()).toContain(hub.baseUrl);
    expect(await status("/health/ready")).toBe(200);
  });

  test("start makes a tenant and a key on the first run, in a file for its owner only", async () => {
    const firstRun = await readFirstRun(home);
    expect(Object.keys(firstRun).sort()).toEqual(["apiKey", "baseUrl", "tenant"]);
    expect(firstRun.baseUrl).toBe(hub.baseUrl);
    expect(firstRun.tenant.slug).toBe("demo");
    expect((await stat(join(home, "first-run.json"))).mode & 0o777).toBe(0o600);
    expect(await status("/api/v1/webhooks/endpoints", firstRun.apiKey)).toBe(200);
  });

  test("start shows the key once on the terminal and writes no secret into a log", async () => {
    const { apiKey } = await readFirstRun(home);
    expect(hub.terminal().split(apiKey).length - 1).toBe(1);
    const keys = await readdir(join(home, "keys"));
    const secrets = await Promise.all(keys.map((name) => readFile(join(home, "keys", name), "utf8")));
    const logs = await Promise.all(
      (await readdir(join(home, "logs"))).map((name) => readFile(join(home, "logs", name), "utf8")),
    );
    expect(secrets.length).toBe(4);
    for (const secret of [apiKey, ...secrets]) expect(logs.join("\n")).not.toContain(secret.trim());
  });

  test("start keeps its keys where only their owner can read them", async () => {
    for (const name of await readdir(join(home, "keys"))) {
      expect((await stat(join(home, "keys", name))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(join(home, "keys"))).mode & 0o777).toBe(0o700);
  });

  test("start refuses a second start on the same HUB_HOME and names the first", async () => {
    const second = await startHub(home);
    expect(await second.ended).toBe(1);
    expect(second.terminal()).toContain(`already running on ${home}: process ${hub.pid}, ${hub.baseUrl}`);
    expect(await status("/health/ready")).toBe(200);
  });

  test("start refuses a port that another program has", async () => {
    const other = await mkdtemp(join(tmpdir(), "hub-start-"));
    const refused = await startHub(other, { PORT: new URL(hub.baseUrl).port });
    expect(await refused.ended).toBe(1);
    expect(refused.terminal()).toContain("is taken by another program");
    await rm(other, { recursive: true });
  });

  test("start names every faulty variable", async () => {
    const refused = await startHub(home, { WEBHOOK_WORKERS: "none", LOG_LEVEL: "loud" });
    expect(await refused.ended).toBe(1);
    expect(refused.terminal()).toContain("WEBHOOK_WORKERS");
    expect(refused.terminal()).toContain("LOG_LEVEL");
  });

  test("start refuses a DATABASE_URL without INTEGRATION_ENCRYPTION_KEY", async () => {
    const other = await mkdtemp(join(tmpdir(), "hub-start-"));
    const refused = await startHub(other, { DATABASE_URL: "postgres://nobody@127.0.0.1:9/none" });
    expect(await refused.ended).toBe(1);
    expect(refused.terminal()).toContain("INTEGRATION_ENCRYPTION_KEY is needed");
    await rm(other, { recursive: true });
  });

  test(
    "start starts again whatever dies",
    async () => {
      const allFour = async (): Promise<number[]> => {
        const pids = await childrenOf(hub.pid);
        if (pids.length !== 4) throw new Error(`Not four children but ${pids.length}: ${hub.terminal()}`);
        return pids;
      };
      const children = await retryUntil(allFour, { everyMs: 100, timeoutMs: 60_000 });
      for (const pid of children) process.kill(pid, "SIGKILL");
      const check = async (): Promise<void> => {
        expect((await allFour()).some((pid) => children.includes(pid))).toBe(false);
        expect(await status("/health/ready")).toBe(200);
      };
      await retryUntil(check, { everyMs: 100, timeoutMs: 60_000 });
    },
    TIMEOUT_MS,
  );

  test(
    "start leaves no process behind when it is killed, and the next one finds the data",
    async () => {
      hub.kill("SIGKILL");
      await hub.ended;
      await allGone();
      const { apiKey } = await readFirstRun(home);
      hub = await startHub(home);
      expect(hub.terminal()).toContain("Ready in");
      expect(hub.terminal()).not.toContain("First run");
      expect(await status("/api/v1/webhooks/endpoints", apiKey)).toBe(200);
    },
    TIMEOUT_MS,
  );

  test(
    "start stops edge, workers, Redis and Postgres in this order on SIGTERM",
    async () => {
      hub.kill("SIGTERM");
      expect(await hub.ended).toBe(0);
      const stopped = [...hub.terminal().matchAll(/✓ stopping (\w+)/g)].map((match) => match[1]!);
      expect(stopped).toEqual(["edges", "workers", "redis", "postgres"]);
      await allGone();
      expect(await readdir(home)).not.toContain("services.json");
      hub = await startHub(home);
      expect(hub.terminal()).toContain("Ready in");
    },
    TIMEOUT_MS,
  );
});

describe("start with DATABASE_URL and REDIS_URL", () => {
  test(
    "start runs edge and workers on them and nothing else",
    async () => {
      const other = await mkdtemp(join(tmpdir(), "hub-start-"));
      const [database, redis] = await Promise.all([startTestPostgres(), startTestRedis({ cluster: true })]);
      const external = await startHub(other, {
        DATABASE_URL: database.ownerUrl,
        REDIS_URL: redis.url,
        INTEGRATION_ENCRYPTION_KEY: database.encryptionKey,
        EDGE_PROCESSES: "2",
        WORKER_PROCESSES: "2",
      });
      try {
        expect(external.terminal()).toContain("Ready in");
        expect((await childrenOf(external.pid)).length).toBe(4);
        expect((await readFirstRun(other)).tenant.slug).toBe("demo");
        expect((await readdir(other)).sort()).toEqual([
          "first-run.json",
          "logs",
          "services.json",
          "supervisor.lock",
        ]);
        external.kill("SIGTERM");
        expect(await external.ended).toBe(0);
      } finally {
        external.kill("SIGKILL");
        await Promise.all([database.stop(), redis.stop()]);
        await rm(other, { recursive: true, force: true });
      }
    },
    TIMEOUT_MS,
  );
});
