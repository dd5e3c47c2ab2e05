import { afterAll, beforeAll, test } from "bun:test";
import { checkFairness, checkPriorities, checkQuotas } from "../rate-limit/several-processes.ts";
import { startTestRedis, type TestRedis } from "../support/services.ts";

const TIMEOUT_MS = 180_000;

let redis: TestRedis;
beforeAll(async () => {
  redis = await startTestRedis();
}, TIMEOUT_MS);
afterAll(() => redis.stop(), TIMEOUT_MS);

test(
  "four processes for 30 s never exceed 10 a second, 100 a minute and 10,000 an hour, and use 95 % of them",
  () => checkQuotas(redis.url, { durationMs: 30_000, hourly: 10_000, usedMin: 0.95 }),
  TIMEOUT_MS,
);

test(
  "500 calls at once from four processes with three priorities go in order, and none is lost",
  () => checkPriorities(redis.url, 500),
  TIMEOUT_MS,
);

test(
  "two tenants of a shared quota, one with six times as many calls, take turns",
  () => checkFairness(redis.url, 14),
  TIMEOUT_MS,
);
