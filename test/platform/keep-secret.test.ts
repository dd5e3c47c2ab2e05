import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepSecret } from "../../src/platform/services/keep-secret.ts";

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "hub-keys-"));
});
afterAll(() => rm(home, { recursive: true }));

describe("keepSecret()", () => {
  test("makes a secret once, readable by its owner only", async () => {
    const path = join(home, "keys", "one");
    expect(await keepSecret(path, () => "first")).toBe("first");
    expect(await keepSecret(path, () => "second")).toBe("first");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("makes none in the place of one whose data is still there", async () => {
    const data = join(home, "PG_VERSION");
    const path = join(home, "keys", "two");
    expect(await keepSecret(path, () => "before the data", data)).toBe("before the data");
    await writeFile(data, "15\n");
    expect(await keepSecret(path, () => "never", data)).toBe("before the data");
    await rm(path);
    const lost = keepSecret(path, () => "never", data);
    await expect(lost).rejects.toThrow(`${home} is there, but ${path} is gone`);
  });

  test("refuses an empty file", async () => {
    const path = join(home, "keys", "three");
    await writeFile(path, "\n");
    await expect(keepSecret(path, () => "never")).rejects.toThrow("it is empty");
  });
});
