import { expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLogFile } from "../../src/start/log-file.ts";

test("openLogFile() keeps the newest lines in four files", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hub-log-"));
  const log = openLogFile(join(folder, "edge.log"), 10);
  for (let line = 1; line <= 20; line++) log.write(`line ${line}`);
  log.close();
  expect((await readdir(folder)).sort()).toEqual(["edge.log", "edge.log.1", "edge.log.2", "edge.log.3"]);
  expect(await readFile(join(folder, "edge.log"), "utf8")).toEndWith("line 20\n");
  await rm(folder, { recursive: true });
});

test("openLogFile() goes on in the former file while a new one cannot be made", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hub-log-"));
  const log = openLogFile(join(folder, "edge.log"), 10);
  log.write("a line that fills it");
  await rm(folder, { recursive: true });
  log.write("lost");
  await mkdir(folder);
  log.write("kept");
  log.close();
  expect(await readFile(join(folder, "edge.log"), "utf8")).toBe("kept\n");
  await rm(folder, { recursive: true });
});
