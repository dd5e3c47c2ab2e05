import { describe, expect, test } from "bun:test";
import { createLogger } from "../../src/platform/log.ts";

function logged(write: (log: ReturnType<typeof createLogger>) => void, level = "info"): string[] {
  const lines: string[] = [];
  write(createLogger(level, "test", { write: (line: string) => void lines.push(line) }));
  return lines;
}

describe("createLogger()", () => {
  test("createLogger() writes one JSON line with level, name, process and time", () => {
    const [line] = logged((log) => log.info({ rows: 3 }, "written"));
    expect(JSON.parse(line!)).toMatchObject({
      level: "info",
      name: "test",
      pid: process.pid,
      rows: 3,
      msg: "written",
    });
    expect(Date.parse(JSON.parse(line!).time)).toBeGreaterThan(0);
  });

  test("createLogger() removes secret fields at each of three levels", () => {
    const names = [
      "authorization",
      "cookie",
      "set-cookie",
      "secretKey",
      "apiKey",
      "password",
      "token",
      "databaseUrl",
      "body",
    ];
    for (const name of names) {
      const lines = logged((log) => {
        log.info({ [name]: "cnry_value" });
        log.info({ a: { [name]: "cnry_value", kept: 1 } });
        log.info({ a: { b: { [name]: "cnry_value", kept: 1 } } });
      });
      expect({ name, text: lines.join("") }).toEqual({
        name,
        text: expect.not.stringContaining("cnry_value"),
      });
      expect(lines.slice(1).join("")).toContain('"kept":1');
    }
  });

  test("createLogger() keeps what was sent on one line", () => {
    const lines = logged((log) => log.warn({ path: 'a\r\n{"level":"error"}' }, "odd\npath"));
    expect(lines.join("").trimEnd().split("\n")).toHaveLength(1);
  });

  test("createLogger() is silent below its level", () => {
    expect(logged((log) => log.info("x"), "warn")).toEqual([]);
  });
});
