import { describe, expect, test } from "bun:test";
import { join } from "node:path";

const projectDir = join(import.meta.dirname, "../..");

async function run(argv: string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, ...argv], {
    cwd: projectDir,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stderr: "pipe",
  });
  const text = await new Response(child.stderr).text();
  return { code: await child.exited, text: text.trim() };
}

describe("runEntry()", () => {
  test.each<[string[], Record<string, string>, RegExp]>([
    [["src/edge/main.ts"], {}, /^Cannot run edge alone: DATABASE_URL and REDIS_URL are needed/],
    [["workers/main.ts"], { PORT: "x" }, /^Cannot start: 1 configuration problem\n {2}- PORT="x"/],
    [["workers/main.ts", "--only", "nope"], {}, /^Cannot start: 1 configuration problem\n {2}- --only nope/],
    [["src/edge/main.ts", "--bad"], {}, /^Unknown option '--bad'/],
  ])(
    "tells why %j with %j does not start, and nothing else",
    async (argv, env, words) => {
      const { code, text } = await run(argv, env);
      expect(code).toBe(1);
      expect(text).toMatch(words);
      expect(text).not.toMatch(/^\s+at |\bBun v\d/m);
    },
    60_000,
  );
});
