import { expect, test } from "bun:test";
import { restartDelayMs } from "../../src/start/keep-running.ts";

test("restartDelayMs() doubles from 200 ms up to 10 s", () => {
  expect([1, 2, 3, 4, 7, 100].map(restartDelayMs)).toEqual([200, 400, 800, 1600, 10_000, 10_000]);
});
