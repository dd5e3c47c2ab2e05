import { afterAll, beforeAll, expect, test } from "bun:test";
import { cp, mkdir, readFile, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { freePort } from "../../src/platform/process/free-port.ts";
import { type Child, spawnChild } from "../../src/platform/process/child.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { PROJECT_DIR } from "../support/paths.ts";
import { startTestPostgres, startTestRedis, type TestPostgres, type TestRedis } from "../support/services.ts";
import { makeTestFolder } from "../support/test-folder.ts";

/** What the image's last stage holds, in a folder, beside real Postgres and Redis; only the base image is missing. */
let app: string;
let dockerfile: string;
let postgres: TestPostgres;
let redis: TestRedis;
let port: number;
const children: Child[] = [];

beforeAll(async () => {
  dockerfile = await readFile(join(PROJECT_DIR, "Dockerfile"), "utf8");
  app = await makeTestFolder("hub-test-image-");
  [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
  port = freePort();
  const lastStage = dockerfile.slice(dockerfile.lastIndexOf("\nFROM "));
  for (const [, words] of lastStage.matchAll(/^COPY (?!--from)(.+)$/gm)) {
    const paths = words!.split(" ");
    const to = paths.pop()!;
    for (const path of paths) {
      const target = join(app, to.endsWith("/") ? join(to, path) : to);
      await mkdir(dirname(target), { recursive: true });
      await cp(join(PROJECT_DIR, path), target, { recursive: true });
    }
  }
  await symlink(join(PROJECT_DIR, "node_modules"), join(app, "node_modules"));
}, 60_000);

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all([postgres.stop(), redis.stop()]);
});

/** A command of the container, with the image's own variables and those of its user. */
function run(argv: readonly string[], lines: string[] = []): Child {
  const own = [...dockerfile.matchAll(/^ENV (.+)$/gm)]
    .flatMap(([, pairs]) => pairs!.split(" "))
    .map((pair) => pair.split("=") as [string, string]);
  const child = spawnChild({
    name: argv.at(-1)!,
    argv: [process.execPath, ...argv.slice(1)],
    cwd: app,
    env: {
      PATH: process.env["PATH"] ?? "",
      ...Object.fromEntries(own),
      HOST: "127.0.0.1",
      PORT: String(port),
      DATABASE_URL: postgres.ownerUrl,
      REDIS_URL: redis.url,
      INTEGRATION_ENCRYPTION_KEY: postgres.encryptionKey,
    },
    onLine: (line) => void lines.push(line),
  });
  children.push(child);
  return child;
}

const commandIn = (pattern: RegExp): string[] => JSON.parse(pattern.exec(dockerfile)![1]!) as string[];

test("the image's files are enough for migrations, edge and workers, which end on SIGTERM with 0", async () => {
  const lines: string[] = [];
  expect(await run(["bun", "src/cli/main.ts", "migrate"], lines).exited).toMatchObject({ exitCode: 0 });
  expect(lines.join("")).toContain('"applied"');
  const edge = run(commandIn(/^CMD (\[.*\])$/m));
  const workers = run(["bun", "workers/main.ts"]);
  const ready = async (): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`);
    expect(await answer.json()).toEqual({ status: "ready", faults: [] });
  };
  await retryUntil(ready, { everyMs: 100, timeoutMs: 30_000 });
  const health = commandIn(/HEALTHCHECK[^[]+CMD (\[.*\])/);
  expect(await run(health).exited).toMatchObject({ exitCode: 0 });
  for (const child of [workers, edge]) {
    child.kill("SIGTERM");
    expect(await child.exited).toEqual({ exitCode: 0, signal: null });
  }
  expect(await run(health).exited).toMatchObject({ exitCode: 1 });
}, 90_000);
