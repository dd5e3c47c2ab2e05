import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { startTimeOf } from "../../src/platform/process/process-table.ts";
import { READY_LINE } from "../../src/platform/process/tell-ready.ts";
import { processService, type Service } from "../../src/platform/services/service.ts";
import { keepRunning, restartDelayMs } from "../../src/start/keep-running.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hub-keep-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A process that tells its pid and waits; while the file `broken` is there it ends at once. */
function sleeper(name: string): { service: Service; broken: string } {
  const broken = join(folder, name);
  const script = `[ -e ${broken} ] && exit 3; echo "pid $$"; echo ${READY_LINE}; exec sleep 600`;
  const service = processService({
    child: { name, argv: ["/bin/sh", "-c", script], env: { PATH: "/usr/bin:/bin" } },
    stopSignal: "SIGTERM",
    stopTimeoutMs: 5_000,
    readyTimeoutMs: 50_000,
    readyLine: READY_LINE,
    probe: async () => undefined,
  });
  return { service, broken };
}

function watch(): { pids: number[]; onLine: (line: string) => void; report: () => void } {
  const pids: number[] = [];
  return {
    pids,
    onLine: (line) => void pids.push(Number(line.slice("pid ".length))),
    report: () => undefined,
  };
}

const isAlive = async (pid: number): Promise<boolean> => (await startTimeOf(pid)) !== undefined;

test("restartDelayMs() doubles from 200 ms up to 10 s", () => {
  expect([1, 2, 3, 4, 7, 100].map(restartDelayMs)).toEqual([200, 400, 800, 1600, 10_000, 10_000]);
});

test("replace() ends the first process once the second is ready, and keeps the second running", async () => {
  const hooks = watch();
  const kept = await keepRunning(sleeper("replaced").service, hooks);
  await kept.replace();
  expect(hooks.pids.length).toBe(2);
  expect(await Promise.all(hooks.pids.map(isAlive))).toEqual([false, true]);
  process.kill(hooks.pids[1]!, "SIGKILL");
  await retryUntil(async () => expect(hooks.pids.length).toBe(3), { everyMs: 20, timeoutMs: 50_000 });
  await kept.stop();
  expect(await isAlive(hooks.pids[2]!)).toBe(false);
});

test("replace() leaves the first process alone when the second does not come up", async () => {
  const hooks = watch();
  const { service, broken } = sleeper("unreplaced");
  const kept = await keepRunning(service, hooks);
  await writeFile(broken, "");
  await expect(kept.replace()).rejects.toThrow("ended with 3");
  expect(await isAlive(hooks.pids[0]!)).toBe(true);
  await kept.stop();
  expect(hooks.pids.length).toBe(1);
  expect(await isAlive(hooks.pids[0]!)).toBe(false);
});
