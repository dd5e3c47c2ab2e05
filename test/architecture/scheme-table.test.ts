import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SCHEME_TABLE_HEAD, schemeTable } from "../../src/cli/scheme-table.ts";
import { schemeNames } from "../../src/domain/inbound/schemes/registry.ts";
import { ROOT } from "./source-files.ts";

const readme = readFileSync(join(ROOT, "README.md"), "utf8");

test("schemeTable() has one row for each scheme, with as many cells as its head", () => {
  const rows = schemeTable().split("\n").slice(2);
  expect(rows.map((row) => /^\| `([a-z0-9-]+)` \|/.exec(row)?.[1])).toEqual([...schemeNames]);
  const cells = (row: string) => row.split(/(?<!\\)\|/).length;
  for (const row of rows) expect(cells(row)).toBe(cells(SCHEME_TABLE_HEAD));
});

test("the README shows the table of `bun run hub schemes`", () => {
  expect(readme).toContain(schemeTable());
});
