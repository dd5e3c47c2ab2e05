import { expect, test } from "bun:test";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockHome } from "../../src/platform/process/home-lock.ts";

async function inNewHome(work: (home: string) => Promise<void>): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), "hub-lock-"));
  try {
    await work(home);
  } finally {
    await rm(home, { recursive: true });
  }
}

test("lockHome() refuses a home that a living process holds", () =>
  inNewHome(async (home) => {
    const unlock = await lockHome(home, "http://127.0.0.1:1");
    expect(lockHome(home, "http://127.0.0.1:2")).rejects.toThrow(
      `process ${process.pid}, http://127.0.0.1:1`,
    );
    await unlock();
    expect(await readdir(home)).toEqual([]);
  }));

test("lockHome() takes over the lock of a process that is gone, also when its pid is in use again", () =>
  inNewHome(async (home) => {
    const stale = { pid: process.pid, startTime: "1", baseUrl: "http://127.0.0.1:1" };
    await writeFile(join(home, "supervisor.lock"), JSON.stringify(stale));
    const unlock = await lockHome(home, "http://127.0.0.1:2");
    expect(await readdir(home)).toEqual(["supervisor.lock"]);
    await unlock();
  }));
