import { expect, test } from "bun:test";
import { spawnChild } from "../../src/platform/process/child.ts";
import { runCommand } from "../../src/platform/process/run-command.ts";

const shell = (script: string) => ({ name: "test", argv: ["/bin/sh", "-c", script], env: {} });

test("spawnChild() hands on every line of both outputs, also one without an end", async () => {
  const lines: string[] = [];
  const child = spawnChild({
    ...shell("echo one; echo two >&2; printf three"),
    onLine: (line) => lines.push(line),
  });
  expect(await child.exited).toEqual({ exitCode: 0, signal: null });
  expect(lines.sort()).toEqual(["one", "three", "two"]);
});

test("spawnChild() gives its child no variable but those it is told", async () => {
  const lines = await runCommand({ ...shell("env"), env: { ONLY: "this" } }, 50_000);
  expect(lines.filter((line) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line))).toEqual(["ONLY=this"]);
});

test("stop() kills a child that does not listen", async () => {
  const deaf = Promise.withResolvers<string>();
  const child = spawnChild({
    ...shell("trap '' TERM; echo deaf; while :; do sleep 0.05; done"),
    onLine: deaf.resolve,
  });
  expect(await deaf.promise).toBe("deaf");
  expect(await child.stop("SIGTERM", 200)).toEqual({ exitCode: null, signal: "SIGKILL" });
});

test("spawnChild() lets no child outlive a parent that is killed", async () => {
  const script = [
    `const { spawnChild } = await import(${JSON.stringify(`${import.meta.dirname}/../../src/platform/process/child.ts`)});`,
    'const child = spawnChild({ name: "test", argv: ["/bin/sleep", "60"], env: {} });',
    "console.log(child.pid);",
    "await child.exited;",
  ].join("\n");
  const printed = Promise.withResolvers<number>();
  const parent = spawnChild({
    name: "parent",
    argv: [process.execPath, "-e", script],
    env: { PATH: process.env["PATH"] ?? "" },
    onLine: (line) => printed.resolve(Number(line)),
  });
  const pid = await printed.promise;
  parent.kill("SIGKILL");
  await parent.exited;
  const state = async (): Promise<string> =>
    /^State:\s+(\S)/m.exec(
      await Bun.file(`/proc/${pid}/status`)
        .text()
        .catch(() => "State: X"),
    )?.[1] ?? "X";
  while (!"XZ".includes(await state())) await Bun.sleep(20);
});

test("runCommand() says what a failed command printed", async () => {
  await expect(runCommand(shell("echo the reason; exit 3"), 50_000)).rejects.toThrow(
    /exit code 3\nthe reason/,
  );
});

test("runCommand() ends a command that takes too long", async () => {
  await expect(runCommand(shell("sleep 60"), 100)).rejects.toThrow("not done within 0.1 s");
});
