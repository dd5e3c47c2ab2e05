import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { competeForLease, type Lease } from "../../src/platform/lease.ts";
import { startJobs } from "../../src/platform/jobs.ts";
import { jobLeaseKey } from "../../src/platform/redis/keys.ts";
import { type Fixture, startFixture } from "../api-logs/fixture.ts";

/** A holder that stands still for so long loses its lease, as a process of a stalled machine may do. */
const TTL_MS = 2_000;

let fixture: Fixture;
const children: Competitor[] = [];

beforeAll(async () => {
  fixture = await startFixture();
});

afterEach(() => {
  for (const child of children.splice(0)) child.process.kill("SIGKILL");
});

afterAll(() => fixture.stop());

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await Bun.sleep(5);
};

/** A child process that competes; its lines as they come. */
class Competitor {
  readonly lines: string[] = [];
  readonly process;

  constructor(key: string, ttlMs: number) {
    const { config } = fixture.runtime;
    this.process = Bun.spawn(
      [process.execPath, join(import.meta.dir, "lease-process.ts"), key, String(ttlMs)],
      {
        env: {
          PATH: process.env["PATH"] ?? "",
          DATABASE_URL: config.databaseUrl,
          REDIS_URL: config.redisUrl,
          LOG_LEVEL: "silent",
        },
        stdout: "pipe",
        stderr: "inherit",
      },
    );
    children.push(this);
    void this.#read();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    const reader = this.process.stdout.getReader();
    let rest = "";
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const parts = (rest + decoder.decode(read.value, { stream: true })).split("\n");
      rest = parts.pop()!;
      this.lines.push(...parts);
    }
  }

  says(line: string): Promise<void> {
    return until(() => this.lines.includes(line));
  }
}

describe("competeForLease()", () => {
  test("competeForLease() lets one of several hold it, and the next one after it is given back", async () => {
    const key = jobLeaseKey("handover");
    const holders: number[] = [];
    const compete = (name: number) =>
      competeForLease(fixture.runtime, { key, ttlMs: TTL_MS, onHeld: () => void holders.push(name) });
    const releaseFirst = compete(1);
    await until(() => holders.length === 1);
    const releaseSecond = compete(2);
    // Several renewals of the first pass while the second tries.
    await Bun.sleep(1.5 * TTL_MS);
    expect(holders).toEqual([1]);
    await releaseFirst();
    await until(() => holders.length === 2);
    expect(holders).toEqual([1, 2]);
    await releaseSecond();
  });

  test("competeForLease() gives each holder a larger token, also after a release", async () => {
    const key = jobLeaseKey("tokens");
    const tokens: number[] = [];
    for (let round = 0; round < 3; round++) {
      let lease: Lease | undefined;
      const release = competeForLease(fixture.runtime, {
        key,
        ttlMs: 1000,
        onHeld: (held) => (lease = held),
      });
      await until(() => lease !== undefined);
      tokens.push(lease!.token);
      await release();
      expect(lease!.isHeld()).toBe(false);
      expect(lease!.ended.aborted).toBe(true);
    }
    expect(tokens).toEqual([1, 2, 3]);
  });

  test("competeForLease() passes the lease on when its holder is killed", async () => {
    const key = jobLeaseKey("killed");
    const first = new Competitor(key, TTL_MS);
    await first.says("held 1");
    const second = new Competitor(key, TTL_MS);
    first.process.kill("SIGKILL");
    await second.says("held 2");
  });

  test("competeForLease() lets a holder that was stopped (SIGSTOP) do nothing once another one holds it", async () => {
    const key = jobLeaseKey("stopped");
    const first = new Competitor(key, TTL_MS);
    await first.says("work 1");
    first.process.kill("SIGSTOP");
    const second = new Competitor(key, TTL_MS);
    await second.says("work 2");
    // What the first wrote before it was stopped has arrived by now.
    const before = first.lines.length;
    first.process.kill("SIGCONT");
    await first.says("ended 1");
    expect(first.lines.slice(before).filter((line) => line.startsWith("work"))).toEqual([]);
    expect(second.lines).not.toContain("ended 2");
  });
});

describe("startJobs()", () => {
  test("startJobs() runs each job again, also after it failed, and stops", async () => {
    let [good, bad] = [0, 0];
    const stop = startJobs(fixture.runtime, "jobs-test", [
      {
        name: "good",
        everyMs: 5,
        run: async () => {
          good++;
        },
      },
      {
        name: "bad",
        everyMs: 5,
        run: () => {
          bad++;
          return Promise.reject(new Error("always"));
        },
      },
    ]);
    await until(() => good > 3 && bad > 3);
    await stop();
    const after = good + bad;
    await Bun.sleep(50);
    expect(good + bad).toBe(after);
  });

  test("startJobs() runs the jobs of one name in one place only", async () => {
    const running = new Set<number>();
    let overlaps = 0;
    const stops = [1, 2, 3].map((place) =>
      startJobs(fixture.runtime, "jobs-alone", [
        {
          name: "alone",
          everyMs: 1,
          run: async () => {
            running.add(place);
            if (running.size > 1) overlaps++;
            await Bun.sleep(5);
            running.delete(place);
          },
        },
      ]),
    );
    await Bun.sleep(200);
    expect(overlaps).toBe(0);
    await Promise.all(stops.map((stop) => stop()));
  });
});
