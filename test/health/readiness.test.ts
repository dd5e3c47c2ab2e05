import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import postgres from "postgres";
import { BootError, runBootChecks } from "../../src/domain/health/boot-checks.ts";
import { createReadiness, type Readiness } from "../../src/domain/health/readiness.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { connectRedis } from "../../src/platform/redis/client.ts";
import { checkRedisDurability } from "../../src/platform/redis/durability.ts";
import { masterNodes, untilReady } from "../../src/platform/redis/info.ts";
import { workerLeaseKey } from "../../src/platform/redis/keys.ts";
import { newId } from "../../src/platform/uuid.ts";
import { sealSecret } from "../../src/domain/vault/seal-secret.ts";
import { createRuntime } from "../../src/platform/runtime.ts";
import { type Fixture, startFixture } from "../api-logs/fixture.ts";

let fixture: Fixture;

beforeAll(async () => {
  fixture = await startFixture({}, "edge");
  await untilReady(fixture.runtime.redis, 30_000);
});

beforeEach(async () => {
  await fixture.runtime.redis.set(workerLeaseKey(3), "a worker");
});

afterAll(() => fixture.stop());

/** Asks anew: one readiness shows its answer for a second. */
const ask = (): Promise<Readiness> => createReadiness(fixture.runtime)();

const namesOf = (readiness: Readiness): string[] => readiness.faults.map((fault) => fault.name);

async function asOwner(statement: string): Promise<void> {
  const owner = postgres(fixture.postgres.ownerUrl, { max: 1, onnotice: () => undefined });
  await owner.unsafe(statement);
  await owner.end();
}

async function withRedisSetting(name: string, value: string, work: () => Promise<void>): Promise<void> {
  const [node] = masterNodes(fixture.runtime.redis);
  const [, before] = (await node!.config("GET", name)) as string[];
  await node!.config("SET", name, value);
  try {
    await work();
  } finally {
    await node!.config("SET", name, before!);
  }
}

describe("createReadiness()", () => {
  test("readiness is ready when nothing is wrong", async () => {
    expect(await ask()).toEqual({ status: "ready", faults: [] });
  });

  test("readiness is degraded while a disk of HUB_HOME is nearly full", async () => {
    const { runtime } = fixture;
    const own = { ...runtime, config: { ...runtime.config, hubHome: tmpdir() } };
    const full = await createReadiness(own, Number.MAX_SAFE_INTEGER)();
    expect([full.status, ...namesOf(full)]).toEqual(["degraded", "disk"]);
    expect(full.faults[0]!.message).toMatch(/^The disk of HUB_HOME has \d+ MiB left/);
    expect(await createReadiness(own, 0)()).toEqual({ status: "ready", faults: [] });
  });

  test("readiness is degraded without a worker", async () => {
    await fixture.runtime.redis.del(workerLeaseKey(3));
    const readiness = await ask();
    expect([readiness.status, ...namesOf(readiness)]).toEqual(["degraded", "workers"]);
  });

  test("readiness names weak durability", async () => {
    await withRedisSetting("appendfsync", "everysec", async () => {
      const readiness = await ask();
      expect([readiness.status, ...namesOf(readiness)]).toEqual(["degraded", "durability"]);
    });
  });

  test("readiness names a full memory", async () => {
    const [node] = masterNodes(fixture.runtime.redis);
    const used = Number(/used_memory:(\d+)/.exec(await node!.info("memory"))?.[1]);
    await withRedisSetting("maxmemory", String(Math.ceil(used * 1.05)), async () => {
      expect(namesOf(await ask())).toEqual(["capacity"]);
    });
  });

  test("readiness names a missing day", async () => {
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10).replaceAll("-", "");
    await asOwner(`drop table events_${tomorrow}`);
    const readiness = await ask();
    expect(readiness.status).toBe("degraded");
    expect(readiness.faults).toMatchObject([
      { name: "partitions", message: expect.stringContaining(tomorrow) },
    ]);
    await fixture.runtime.sqlSystem`select hub_create_day_partitions(1, 4)`;
  });

  test("readiness is unavailable before the migrations", async () => {
    await asOwner("alter table hub_meta.migrations rename to migrations_away");
    try {
      const readiness = await ask();
      expect([readiness.status, ...namesOf(readiness)]).toEqual(["unavailable", "migrations"]);
    } finally {
      await asOwner("alter table hub_meta.migrations_away rename to migrations");
    }
  });

  test("readiness is unavailable while one migration of this version is missing, and names it", async () => {
    await asOwner("update hub_meta.migrations set name = 'x' || name where name like '0018%'");
    try {
      const { status, faults } = await ask();
      expect([status, faults.length]).toEqual(["unavailable", 1]);
      expect(faults[0]).toMatchObject({ name: "migrations", message: expect.stringContaining(" 0018_") });
    } finally {
      await asOwner("update hub_meta.migrations set name = substr(name, 2) where name like 'x0018%'");
    }
  });

  test("readiness does not mind the migrations of a newer version", async () => {
    await asOwner("insert into hub_meta.migrations (name, run_on) values ('9999_newer', now())");
    expect((await ask()).status).toBe("ready");
    await asOwner("delete from hub_meta.migrations where name = '9999_newer'");
  });

  test("readiness is degraded while Postgres is away, because webhooks are accepted on", async () => {
    const away = new URL(fixture.postgres.ownerUrl);
    away.port = "1";
    const config = loadConfig({
      DATABASE_URL: away.href,
      REDIS_URL: fixture.redis.url,
      INTEGRATION_ENCRYPTION_KEY: fixture.postgres.encryptionKey,
      LOG_LEVEL: "silent",
      STREAM_PARTITIONS: "4",
    });
    const runtime = createRuntime(config, "edge");
    await untilReady(runtime.redis, 30_000);
    const readiness = await createReadiness(runtime)();
    expect([readiness.status, ...namesOf(readiness)]).toEqual(["degraded", "postgres"]);
    await runtime.shutdown.run();
  });

  test("readiness is unavailable while Redis is away, and ready again afterwards", async () => {
    await fixture.redis.kill();
    const readiness = await ask();
    expect([readiness.status, ...namesOf(readiness)]).toEqual(["unavailable", "redis"]);
    await fixture.redis.restart();
    await untilReady(fixture.runtime.redis, 30_000);
    expect((await ask()).status).toBe("ready");
  });

  test("readiness shows no addresses and no messages of libraries", async () => {
    await fixture.redis.kill();
    const text = JSON.stringify(await ask());
    expect(text).not.toMatch(/127\.0\.0\.1|ECONN|localhost|:\d{4,5}/);
    await fixture.redis.restart();
    await untilReady(fixture.runtime.redis, 30_000);
  });

  test("readiness asks the services once for many askers", async () => {
    const readiness = createReadiness(fixture.runtime);
    const answers = await Promise.all(Array.from({ length: 50 }, () => readiness()));
    expect(new Set(answers).size).toBe(1);
  });
});

describe("runBootChecks()", () => {
  async function bootWith(env: Record<string, string>): Promise<readonly string[]> {
    const runtime = createRuntime(
      loadConfig({
        DATABASE_URL: fixture.postgres.ownerUrl,
        REDIS_URL: fixture.redis.url,
        INTEGRATION_ENCRYPTION_KEY: fixture.postgres.encryptionKey,
        LOG_LEVEL: "silent",
        STREAM_PARTITIONS: "4",
        ...env,
      }),
      "cli",
    );
    try {
      await runBootChecks(runtime);
      return [];
    } catch (error) {
      if (error instanceof BootError) return error.problems;
      throw error;
    } finally {
      await runtime.shutdown.run();
    }
  }

  test("runBootChecks() passes on durable services", async () => {
    expect(await bootWith({})).toEqual([]);
  });

  test("runBootChecks() refuses each weak setting of Redis, unless durability is relaxed", async () => {
    for (const [name, value] of [
      ["appendfsync", "everysec"],
      ["appendonly", "no"],
      ["maxmemory-policy", "allkeys-lru"],
      ["no-appendfsync-on-rewrite", "yes"],
    ] as const) {
      await withRedisSetting(name, value, async () => {
        expect(await bootWith({})).toEqual([expect.stringContaining(`${name} is ${value}`)]);
        expect(await bootWith({ REDIS_DURABILITY: "relaxed" })).toEqual([]);
      });
    }
  });

  test("runBootChecks() refuses another STREAM_PARTITIONS than that of the first start", async () => {
    expect(await bootWith({ STREAM_PARTITIONS: "8" })).toEqual([
      expect.stringContaining("STREAM_PARTITIONS=8, but this Redis was first started with 4"),
    ]);
  });

  test("runBootChecks() refuses keys that open no secret of the database, and goes on with some of them", async () => {
    const { tenantId } = await fixture.tenant();
    const sealed = { tenantId, table: "api_keys", rowId: newId(), column: "x" };
    await sealSecret(fixture.runtime, fixture.runtime.sqlSystem, sealed, "a secret");
    const ring = fixture.postgres.encryptionKey;
    const [id] = ring.split(":", 1) as [string];
    const other = randomBytes(32).toString("base64");
    const boot = (key: string) => bootWith({ INTEGRATION_ENCRYPTION_KEY: key });
    expect(await boot(`${id}:${other}`)).toEqual([
      expect.stringContaining(`its key "${id}" is not the one under which`),
    ]);
    expect(await boot(`new:${other}`)).toEqual([expect.stringContaining(`has no key "${id}"`)]);
    expect(await boot(`new:${other},${ring}`)).toEqual([]);
  });

  test("runBootChecks() lists all faults at once", async () => {
    await withRedisSetting("appendfsync", "no", async () => {
      expect(await bootWith({ STREAM_PARTITIONS: "8" })).toHaveLength(2);
    });
  });
});

describe("checkRedisDurability()", () => {
  test("checkRedisDurability() says so where CONFIG is forbidden and INFO does not tell", async () => {
    const nodes = masterNodes(fixture.runtime.redis);
    for (const node of nodes) {
      await node.call("ACL", "SETUSER", "managed", "on", ">pw", "~*", "&*", "+@all", "-config");
    }
    const client = connectRedis(
      fixture.redis.url.replace("://", "://managed:pw@"),
      "control",
      () => undefined,
    );
    await untilReady(client, 30_000);
    const problems = await checkRedisDurability(client);
    client.disconnect();
    const unread = problems.filter((problem) =>
      problem.includes("cannot be read, because CONFIG is forbidden"),
    );
    expect(unread.filter((problem) => problem.includes(": appendfsync "))).toHaveLength(nodes.length);
    expect(unread.filter((problem) => problem.includes(": no-appendfsync-on-rewrite "))).toHaveLength(
      nodes.length,
    );
    expect(problems).toHaveLength(2 * nodes.length);
  });
});
