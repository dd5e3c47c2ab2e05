import { SET_204 } from "./set-204.ts";
import { SET_210 } from "./set-210.ts";
import { SET_214 } from "./set-214.ts";
import { SET_990 } from "./set-990.ts";
import { SET_997 } from "./set-997.ts";
import { SET_999 } from "./set-999.ts";
import type { SetTable } from "./set-table.ts";

const TABLES: ReadonlyMap<string, SetTable> = new Map(
  [SET_204, SET_210, SET_214, SET_990, SET_997, SET_999].map((table) => [table.code, table]),
);

/** The table of a set (ST01), whatever its version: these sets kept their order from 004010 to 005010. */
export function findSet(code: string): SetTable | null {
  return TABLES.get(code) ?? null;
}
