import { afterEach, describe, expect, test } from "bun:test";
import { createLogger } from "../../src/platform/log.ts";
import type { JsonataPool, JsonataPoolOptions } from "../../src/domain/transformations/jsonata-pool.ts";
import { createJsonataPool } from "../../src/domain/transformations/jsonata-pool.ts";

const MIB = 1024 * 1024;
const log = createLogger("silent", "test");
const opened: JsonataPool[] = [];

function open(options: Partial<JsonataPoolOptions> = {}): JsonataPool {
  const pool = createJsonataPool({
    processes: 2,
    memoryLimitBytes: 192 * MIB,
    deadlineMs: 300,
    queueMaxPerKey: 1000,
    log,
    ...options,
  });
  opened.push(pool);
  return pool;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((pool) => pool.close()));
});

const codeOf = async (pool: JsonataPool, expression: string, input: unknown = {}, key = expression) => {
  const outcome = await pool.evaluate({ key, expression, input });
  return outcome.ok ? "ok" : outcome.code;
};

const HANG = "($f := function($n) { $f($n + 1) }; $f(1))";
const DOUBLING =
  '($f := function($s, $n) { $n = 0 ? $s : $f($s & $s, $n - 1) }; $length($f("xxxxxxxx", 40)))';

/** Resident memory of a process in bytes; 0 when it is gone. */
async function residentBytes(pid: number): Promise<number> {
  const status = await Bun.file(`/proc/${pid}/status`)
    .text()
    .catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop -- polling
  while (!(await condition())) await Bun.sleep(10);
}

describe("evaluate()", () => {
  test("maps a document given as JSON text or as a value", async () => {
    const pool = open();
    const expression = '{ "loadId": shipment.id, "stops": stops.city }';
    const value = { shipment: { id: "L-1" }, stops: [{ city: "Dallas" }, { city: "Orán" }] };
    const expected = { ok: true, output: '{"loadId":"L-1","stops":["Dallas","Orán"]}' } as const;
    expect(await pool.evaluate({ key: "a", expression, input: JSON.stringify(value) })).toEqual(expected);
    expect(await pool.evaluate({ key: "a", expression, input: value })).toEqual(expected);
  });

  test("gives each of many jobs of many keys its own answer", async () => {
    const pool = open();
    const jobs = Array.from({ length: 2000 }, (_, index) => index);
    const outcomes = await Promise.all(
      jobs.map((index) =>
        pool.evaluate({ key: `key ${index % 37}`, expression: `n * ${index % 300}`, input: { n: index } }),
      ),
    );
    for (const [index, outcome] of outcomes.entries()) {
      expect(outcome).toEqual({ ok: true, output: String(index * (index % 300)) });
    }
  });

  test("starts no child before the first job", async () => {
    const pool = open();
    expect(pool.stats().starts).toBe(0);
    await codeOf(pool, "1");
    expect(pool.stats().starts).toBe(1);
  });

  test("fails for an expression that throws, gives nothing, does not compile or is too long", async () => {
    const pool = open();
    for (const expression of [
      '$error("no\\nway")',
      "nothing.here",
      "a +",
      '"x" + 1',
      `"${"x".repeat(20_000)}"`,
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await codeOf(pool, expression)).toBe("transform_failed");
    }
    const outcome = await pool.evaluate({ key: "e", expression: '$error("no\\nway")', input: {} });
    expect(outcome).toMatchObject({ retryable: false, message: "no way" });
  });

  test("fails for a number that is not finite, which JSON would write as null", async () => {
    const pool = open();
    expect(
      await pool.evaluate({
        key: "a",
        expression: '{ "rate": [total / stops] }',
        input: { total: 1, stops: 0 },
      }),
    ).toMatchObject({ ok: false, code: "transform_failed", message: expect.stringContaining("not finite") });
    expect(await pool.evaluate({ key: "b", expression: '{ "a": null, "b": 1 }', input: {} })).toEqual({
      ok: true,
      output: '{"a":null,"b":1}',
    });
  });

  test("refuses input over 1 MiB and output over 256 KiB", async () => {
    const pool = open();
    expect(await codeOf(pool, "1", JSON.stringify("x".repeat(MIB)))).toBe("transform_input_too_large");
    expect(await codeOf(pool, "$length($)", JSON.stringify("x".repeat(MIB - 2)))).toBe("ok");
    expect(await codeOf(pool, '$pad("x", 262142)')).toBe("ok");
    expect(await codeOf(pool, '$pad("x", 262143)')).toBe("transform_output_too_large");
  });

  test("stops endless recursion and what builds too much in one step", async () => {
    const pool = open();
    expect(await codeOf(pool, HANG)).toBe("transform_timeout");
    expect(await codeOf(pool, '$pad("x", 3e8)')).toBe("transform_failed");
    expect(await codeOf(pool, '$pad("x", -1e308)')).toBe("transform_failed");
    expect(await codeOf(pool, "($f := function($n) { 1 + $f($n + 1) }; $f(1))")).toBe("transform_failed");
    expect(await codeOf(pool, "$count([1..1e7])")).toBe("transform_failed");
    expect(await codeOf(pool, '"still here"')).toBe("ok");
  });

  test("searches in linear time, and right where backtracking gives up", async () => {
    const pool = open();
    const input = { s: `${"a".repeat(60)}!`, long: "a".repeat(200_000) };
    const cases: [string, unknown][] = [
      ["$contains(s, /^(?:(a+)+c|.*)$/)", true],
      ["$contains(long, /(a+)+c/)", false],
      ['$replace("a1b22", /[0-9]+/, "#")', "a#b#"],
      ['$replace("Doe, John", /(\\w+), (\\w+)/, "$2 $1")', "John Doe"],
      ['$split("a, b;c", /[,;] */)', ["a", "b", "c"]],
      ['$match("ab12cd345", /[a-z]+([0-9]+)/).groups', ["12", "345"]],
      ['$match("ab", /(x)?b/i)[0].index', 1],
      ['$contains("ABC", /b/i)', true],
    ];
    for (const [expression, expected] of cases) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const outcome = await pool.evaluate({ key: "r", expression, input });
      expect([expression, outcome.ok && JSON.parse(outcome.output)]).toEqual([expression, expected]);
    }
  });

  test("pads like JSONata itself", async () => {
    const pool = open();
    const expression =
      '[$pad("foo", 5), $pad("foo", -5), $pad("foo", -5, "#"), $pad("35", -5, "0"), $pad("foo", 8, "-+"), $pad("😂", 3, ""), $pad("foo", 1)]';
    expect(await pool.evaluate({ key: "p", expression, input: {} })).toEqual({
      ok: true,
      output: JSON.stringify(["foo  ", "  foo", "##foo", "00035", "foo-+-+-", "😂  ", "foo"]),
    });
  });

  test("holds memory: a child that grows is stopped near its limit", async () => {
    const pool = open({ deadlineMs: 20_000 });
    let peakBytes = 0;
    const look = async (): Promise<void> => {
      const sizes = await Promise.all(pool.stats().pids.map(residentBytes));
      peakBytes = Math.max(peakBytes, ...sizes);
    };
    const watch = setInterval(() => void look(), 2);
    expect(await codeOf(pool, DOUBLING)).toBe("transform_memory");
    expect(await codeOf(pool, "$count([1..90000].[1..90000].{'a': $})")).toMatch(/memory|failed/);
    clearInterval(watch);
    expect(peakBytes).toBeLessThan(500 * MIB);
    expect(await codeOf(pool, '"still here"')).toBe("ok");
  }, 60_000);

  test("keeps other keys going while one hangs, and runs each job once to its caller", async () => {
    const pool = open({ deadlineMs: 600 });
    await codeOf(pool, "1");
    const hung = Array.from({ length: 5 }, () => pool.evaluate({ key: "bad", expression: HANG, input: {} }));
    let settledBad = 0;
    for (const job of hung) void job.then(() => settledBad++);
    const good = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        pool.evaluate({ key: `good ${index % 9}`, expression: "n", input: { n: index } }),
      ),
    );
    expect(settledBad).toBe(0);
    for (const [index, outcome] of good.entries())
      expect(outcome).toEqual({ ok: true, output: String(index) });
    const codes = (await Promise.all(hung)).map((outcome) => (outcome.ok ? "ok" : outcome.code));
    expect(codes).toEqual([
      "transform_timeout",
      "transform_timeout",
      "transform_timeout",
      "transform_paused",
      "transform_paused",
    ]);
  }, 20_000);

  test("pauses a key for 60 s after three failures, then tries it once", async () => {
    let nowMs = 1_000_000;
    const pool = open({ deadlineMs: 100, clock: { nowMs: () => nowMs } });
    const run = (expression: string) => pool.evaluate({ key: "bad", expression, input: {} });
    for (let count = 0; count < 3; count++) {
      // oxlint-disable-next-line no-await-in-loop -- in a row
      expect(await run(HANG)).toMatchObject({ code: "transform_timeout", retryable: true });
    }
    expect(await run("1")).toMatchObject({ code: "transform_paused", retryable: true });
    expect(pool.stats()).toMatchObject({ pausedKeys: 1, timedOut: 3 });
    nowMs += 60_000;
    const [probe, other] = await Promise.all([run(HANG), run("1")]);
    expect(probe).toMatchObject({ code: "transform_timeout" });
    expect(other).toMatchObject({ code: "transform_paused" });
    expect(await run("1")).toMatchObject({ code: "transform_paused" });
    nowMs += 60_000;
    expect(await run("1")).toEqual({ ok: true, output: "1" });
    expect(await Promise.all([run("1"), run("2")])).toEqual([
      { ok: true, output: "1" },
      { ok: true, output: "2" },
    ]);
  }, 20_000);

  test("lets slow keys fill one child only", async () => {
    const pool = open({ deadlineMs: 400 });
    const bad = (key: number) => pool.evaluate({ key: `bad ${key}`, expression: HANG, input: {} });
    await Promise.all([bad(1), bad(2), bad(3)]);
    const again = Promise.all([bad(1), bad(2), bad(3)]);
    let done = false;
    void again.then(() => (done = true));
    for (let count = 0; count < 50; count++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await codeOf(pool, "1", {}, "good")).toBe("ok");
    }
    expect(done).toBe(false);
    await again;
  }, 20_000);

  test("keeps a child free for others while several unknown keys hang", async () => {
    const pool = open({ deadlineMs: 3_000 });
    await Promise.all([codeOf(pool, "1", {}, "good"), codeOf(pool, "2", {}, "other")]);
    const attackers = Array.from({ length: 3 }, (_, key) => codeOf(pool, HANG, {}, `attacker ${key}`));
    let settled = 0;
    for (const one of attackers) void one.then(() => settled++);
    await until(() => pool.stats().slowKeys >= 2);
    for (let count = 0; count < 100; count++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await codeOf(pool, "1", {}, count % 2 === 0 ? "good" : `new ${count}`)).toBe("ok");
    }
    expect(settled).toBe(0);
    expect(await Promise.all(attackers)).toEqual(attackers.map(() => "transform_timeout"));
  }, 30_000);

  test("refuses what waits beyond the bound of its key", async () => {
    const pool = open({ queueMaxPerKey: 3 });
    const jobs = Array.from({ length: 5 }, () => codeOf(pool, "1", {}, "full"));
    const other = codeOf(pool, "1", {}, "other");
    expect((await Promise.all(jobs)).toSorted()).toEqual([
      "ok",
      "ok",
      "ok",
      "transform_busy",
      "transform_busy",
    ]);
    expect(await other).toBe("ok");
  });

  test("answers every job although its children are killed from outside", async () => {
    const pool = open({ deadlineMs: 5_000 });
    const expression = "$sum([1..2000].($ * 2))";
    const jobs = Array.from({ length: 300 }, (_, index) => codeOf(pool, expression, {}, `key ${index % 30}`));
    const killing = (async () => {
      for (let round = 0; round < 4; round++) {
        // oxlint-disable-next-line no-await-in-loop -- rounds
        await Bun.sleep(60);
        const [pid] = pool.stats().pids;
        if (pid !== undefined) process.kill(pid, "SIGKILL");
      }
    })();
    const codes = await Promise.all(jobs);
    await killing;
    expect(codes.filter((code) => code === "ok").length).toBeGreaterThanOrEqual(296);
    expect(await codeOf(pool, "1")).toBe("ok");
  }, 60_000);

  test("has no $eval, no prototypes and no environment", async () => {
    const pool = open();
    expect(await codeOf(pool, '$eval("1 + 1")')).toBe("transform_failed");
    expect(await codeOf(pool, '($e := $eval; $e("1"))')).toBe("transform_failed");
    for (const expression of [
      "constructor.constructor",
      "__proto__",
      "$lookup($, 'constructor')",
      "$process",
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await codeOf(pool, expression, { a: 1 })).toBe("transform_failed");
    }
    const [pid] = pool.stats().pids;
    const environment = await Bun.file(`/proc/${pid}/environ`).text();
    expect(environment).not.toContain("PATH=");
  });

  test("keeps nothing of one evaluation for the next", async () => {
    const pool = open();
    const set = await pool.evaluate({ key: "a", expression: "($x := secret; $x)", input: { secret: "s" } });
    expect(set).toEqual({ ok: true, output: '"s"' });
    expect(await codeOf(pool, "$x", {}, "b")).toBe("transform_failed");
  });
});

describe("checkExpression()", () => {
  test("accepts what compiles and tells where it does not", async () => {
    const pool = open();
    expect(await pool.checkExpression('{ "a": b.c }')).toEqual({ ok: true });
    expect(await pool.checkExpression("a + ")).toMatchObject({ ok: false, position: 4 });
    expect(await pool.checkExpression('a.(b ? $eval("1"))')).toEqual({
      ok: false,
      message: "$eval is not available",
      position: expect.any(Number),
    });
    expect(await pool.checkExpression("$contains(a, /(?<=b)c/)")).toMatchObject({
      ok: false,
      message: expect.stringContaining("cannot be used"),
    });
    expect(await pool.checkExpression("$contains(a, /(a)\\1/)")).toMatchObject({ ok: false });
    expect(await pool.checkExpression(`"${"x".repeat(17_000)}"`)).toMatchObject({ ok: false });
    expect(await pool.checkExpression("(".repeat(16_000))).toMatchObject({ ok: false });
  });
});

describe("close()", () => {
  test("ends what waits as busy and leaves no child", async () => {
    const pool = open({ deadlineMs: 10_000 });
    await codeOf(pool, "1");
    const jobs = [codeOf(pool, HANG), codeOf(pool, "2", {}, HANG)];
    await Bun.sleep(20);
    const { pids } = pool.stats();
    await pool.close();
    expect(await Promise.all(jobs)).toEqual(["transform_busy", "transform_busy"]);
    expect(await codeOf(pool, "1")).toBe("transform_busy");
    await until(async () => (await Promise.all(pids.map(residentBytes))).every((bytes) => bytes === 0));
  });
});

describe("createJsonataPool()", () => {
  const script = `
    import { createJsonataPool } from "${import.meta.dir}/../../src/domain/transformations/jsonata-pool.ts";
    import { createLogger } from "${import.meta.dir}/../../src/platform/log.ts";
    const pool = createJsonataPool({ processes: 2, memoryLimitBytes: 2e8, deadlineMs: 60000, queueMaxPerKey: 9, log: createLogger("silent", "t") });
    await pool.evaluate({ key: "a", expression: "1", input: {} });
    void pool.evaluate({ key: "b", expression: "($f := function($n) { $f($n + 1) }; $f(1))", input: {} });
    console.log(pool.stats().pids.join(","));`;

  test("leaves no child behind when its process is killed, even while one hangs", async () => {
    const parent = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
    const { value } = await parent.stdout.getReader().read();
    const pids = Buffer.from(value ?? new Uint8Array())
      .toString()
      .trim()
      .split(",")
      .map(Number);
    expect(await residentBytes(pids[0] ?? 0)).toBeGreaterThan(0);
    parent.kill("SIGKILL");
    await parent.exited;
    await until(async () => (await Promise.all(pids.map(residentBytes))).every((bytes) => bytes === 0));
  });

  test("refuses a single process, and says what to install where prlimit is missing", async () => {
    expect(() => open({ processes: 1 })).toThrow(/2 or more/);
    const parent = Bun.spawn([process.execPath, "-e", script], {
      env: { PATH: "/nonexistent" },
      stdout: "ignore",
      stderr: "pipe",
    });
    expect(await new Response(parent.stderr).text()).toContain("Install util-linux");
    expect(await parent.exited).not.toBe(0);
  });
});
