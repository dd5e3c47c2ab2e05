import { afterAll, describe, expect, test } from "bun:test";
import { appendFile, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { preparePostgres } from "../../src/platform/services/postgres-service.ts";
import { RefusedWriteError, SteadyWriter, writeSteadily } from "../../src/platform/services/steady-writes.ts";
import { makeTestFolder } from "../support/test-folder.ts";

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function databases(): Promise<{ base: string; file: (name: string) => string }> {
  const base = await makeTestFolder("hub-test-steady-");
  folders.push(base);
  await mkdir(join(base, "5"));
  return { base, file: (name) => join(base, "5", name) };
}

/** A change in a later tick of the file system's clock, which may be 4 ms or more. */
async function change(file: string): Promise<void> {
  await Bun.sleep(20);
  await appendFile(file, "b");
}

/** What rounds wrote until a new scan was among them. */
async function writtenBy(writer: SteadyWriter): Promise<string[]> {
  const rounds = [];
  for (let round = 0; round < 20; round++) rounds.push(...(await writer.runRound()));
  return rounds.toSorted();
}

describe("SteadyWriter", () => {
  test("runRound() brings each changed file to the disk once, and files that came or went since", async () => {
    const { base, file } = await databases();
    await writeFile(file("1"), "a");
    await writeFile(file("2"), "a");
    const writer = new SteadyWriter(base);
    expect(await writtenBy(writer)).toEqual([file("1"), file("2")]);
    expect(await writtenBy(writer)).toEqual([]);
    await change(file("1"));
    expect(await writer.runRound()).toEqual([file("1")]);
    await rm(file("2"));
    await writeFile(file("3"), "a");
    expect(await writtenBy(writer)).toEqual([file("3")]);
    await change(file("1"));
    await change(file("3"));
    expect(await writtenBy(writer)).toEqual([file("1"), file("3")]);
  });

  test("runRound() finds a file again that did not change for long", async () => {
    const { base, file } = await databases();
    await writeFile(file("1"), "a");
    const writer = new SteadyWriter(base);
    for (let n = 0; n < 5; n++) await writtenBy(writer);
    await change(file("1"));
    expect(await writtenBy(writer)).toEqual([file("1")]);
  });

  test("runRound() tells of a write that was refused", async () => {
    const { base, file } = await databases();
    await symlink("/dev/null", file("1"));
    const refused = await new SteadyWriter(base).runRound().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RefusedWriteError);
    expect((refused as Error).message).toContain(file("1"));
  });
});

describe("writeSteadily()", () => {
  test("ends a server one of whose writes was refused; its next start has everything", async () => {
    const home = await makeTestFolder("hub-test-steady-");
    folders.push(home);
    const prepared = await preparePostgres({
      home,
      path: process.env["PATH"] ?? "",
      report: () => undefined,
    });
    const lines: string[] = [];
    const service = writeSteadily(prepared.service, prepared.dataDir);
    const first = await service.start((line) => void lines.push(line));
    const sql = postgres(prepared.superuserUrl, { max: 1, onnotice: () => undefined });
    await sql`create table kept as select n from generate_series(1, 50000) n`;
    const refusing = join(prepared.dataDir, "base", "5", "99999999");
    await symlink("/dev/null", refusing);
    await first.exited;
    expect(lines.join("\n")).toContain("The disk refused a write of");
    await rm(refusing);
    const second = await service.start(() => undefined);
    try {
      const count = () => sql`select count(*)::int as count from kept`;
      const [row] = await retryUntil(count, { everyMs: 50, timeoutMs: 50_000 });
      expect(row!["count"]).toBe(50_000);
    } finally {
      await sql.end();
      await second.stop();
    }
  });
});
