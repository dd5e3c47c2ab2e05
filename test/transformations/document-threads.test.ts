import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "bun:test";
import pino from "pino";
import { documentThreadsOf, ThreadFailure } from "../../src/domain/transformations/document-threads.ts";
import { recipeOf } from "../../src/domain/transformations/load-template.ts";
import type { MappingRules } from "../../src/domain/transformations/mapping/rules.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { loadConfig } from "../../src/platform/config.ts";
import type { Runtime } from "../../src/platform/runtime.ts";
import { Shutdown } from "../../src/platform/shutdown.ts";

const log = pino({ level: "silent" });
/** What threads need of a process; they open nothing. */
const runtime = {
  name: "worker",
  config: loadConfig({}),
  clock: systemClock,
  log,
  shutdown: new Shutdown(log),
} as Runtime;
const threads = documentThreadsOf(runtime);
afterAll(() => runtime.shutdown.run());

const recipe = (
  rules: object[],
  more: Partial<MappingRules> = {},
  sourceFormat: "JSON" | "CSV" | "XML" = "JSON",
) =>
  recipeOf(
    {
      sourceFormat,
      targetFormat: "JSON",
      mappingRules: { rules, ...more } as MappingRules,
      validationRules: null,
    },
    {},
  );
const COPY = recipe([{ target: "ids", from: { each: "items", do: "id" } }]);
const document = (count: number): Uint8Array =>
  Buffer.from(JSON.stringify({ items: Array.from({ length: count }, (_, id) => ({ id })) }));

const transform = (bytes: Uint8Array, deadlineMs: number, key = "a", used = COPY) =>
  threads.run("transform", { recipe: used, source: { bytes }, context: {} }, { key, deadlineMs });

/** Processor time of the thread that runs the event loop: what the machine gives to others does not count. */
function mainThreadMs(): number {
  const stat = readFileSync(`/proc/self/task/${process.pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // proc_pid_stat(5): utime and stime, in hundredths of a second.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

describe("documentThreadsOf()", () => {
  test("ends a document that overruns its deadline with its thread, and serves the others on", async () => {
    const slow = transform(document(40_000), 1).then(
      () => "passed",
      (error: unknown) => (error as ThreadFailure).code,
    );
    const others = Promise.all([1, 2, 3].map(() => transform(document(10), 5_000, "b")));
    expect(await slow).toBe("transform_timeout");
    expect((await others).map(({ ok }) => ok)).toEqual([true, true, true]);
  });

  test("evaluates expressions in the killable processes", async () => {
    const outcome = await transform(
      Buffer.from('{"a":[1,2,3]}'),
      10_000,
      "c",
      recipe([{ target: "sum", from: { jsonata: "$sum(a)" } }]),
    );
    expect(outcome.ok && Buffer.from(outcome.bytes).toString()).toBe('{"sum":6}');
  });

  test("refuses the hundred-and-first document of a key that waits", async () => {
    const waiting = Array.from({ length: 140 }, () =>
      transform(document(2_000), 20_000, "d").catch((error) => error),
    );
    const results = await Promise.all(waiting);
    const refused = results.filter((result) => result instanceof ThreadFailure);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.every((error) => (error as ThreadFailure).code === "transform_busy")).toBe(true);
    expect(results.length - refused.length).toBeGreaterThanOrEqual(100);
  });

  test("leaves the event loop free while it reads, maps and writes 10 MB of CSV", async () => {
    const row = "L-1234567,Reno,NV,42000,2026-03-02T14:05:00Z,some text that fills the row up\r\n";
    const bytes = Buffer.from(`id,city,state,weight,at,note\r\n${row.repeat(130_000)}`);
    let longestMs = 0;
    let lastMs = mainThreadMs();
    const watch = setInterval(() => {
      const nowMs = mainThreadMs();
      longestMs = Math.max(longestMs, nowMs - lastMs);
      lastMs = nowMs;
    }, 5);
    const outcome = await transform(
      bytes,
      60_000,
      "e",
      recipe([{ target: "id", from: "id" }], { recordPath: "[*]" }, "CSV"),
    );
    clearInterval(watch);
    expect(outcome.ok && (JSON.parse(Buffer.from(outcome.bytes).toString()) as unknown[]).length).toBe(
      130_000,
    );
    // The whole of it takes a second and more; a copy of the bytes into the thread some milliseconds.
    expect(longestMs).toBeLessThan(1_000);
  }, 60_000);

  test.each<["CSV" | "XML", string, string, object]>([
    ["CSV", "id,n\nL-1,1\nL-2,x\n", "[*]", { record: 2, line: 3, source: "/1/n" }],
    ["CSV", 'id,n\nL-1,1\nL-2,"2\n', "[*]", { line: 3 }],
    ["XML", "<o><l><n>1</n></l>\n<l><n>x</n></l></o>", "o.l", { record: 2, line: 2, source: "/o/l/1/n" }],
    ["XML", "<o><l><n>1</n></l>\n<l></o>", "o.l", { line: 2 }],
  ])(
    "tells the record, the line and the field of a %s that does not fit",
    async (format, text, recordPath, fault) => {
      const rules = [{ target: "n", from: { call: "number", args: ["n"] } }];
      const outcome = await transform(Buffer.from(text), 10_000, "f", recipe(rules, { recordPath }, format));
      expect(outcome.ok ? [] : outcome.faults).toMatchObject([fault]);
    },
  );
});
