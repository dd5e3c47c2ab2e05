import { afterAll, beforeAll, expect, test } from "bun:test";
import { connectPostgres, type Sql } from "../../src/platform/postgres/client.ts";
import { createLogger } from "../../src/platform/log.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { postgresConversation } from "../support/postgres-wire.ts";
import { until } from "./hub-processes.ts";
import { startTestPostgres, type TestPostgres } from "../support/services.ts";

const CONNECTIONS = 2;

let postgres: TestPostgres;
let proxy: FaultProxy;
let sql: Sql;

beforeAll(async () => {
  postgres = await startTestPostgres();
  const url = new URL(postgres.appUrl);
  proxy = await FaultProxy.start(Number(url.port), postgresConversation);
  url.port = String(proxy.port);
  sql = connectPostgres({
    url: url.href,
    purpose: "app",
    max: CONNECTIONS,
    statementTimeoutMs: 10_000,
    log: createLogger("silent", "test"),
  });
}, 60_000);

afterAll(async () => {
  await sql?.end({ timeout: 1 });
  await proxy?.stop();
  await postgres?.stop();
}, 60_000);

/** Loses as many transactions as there are connections, each while a statement of it runs. */
async function loseTransactions(lose: () => void): Promise<PromiseSettledResult<unknown>[]> {
  let underWay = 0;
  const transactions = Array.from({ length: CONNECTIONS }, () =>
    sql.begin(async (tx) => {
      await tx`select ${1}::int`;
      underWay++;
      await tx`select ${2}::int, pg_sleep(0.05)`;
      await tx`select ${3}::int`;
    }),
  );
  const settled = Promise.allSettled(transactions);
  await until("all transactions are under way", () => underWay === CONNECTIONS);
  lose();
  return settled;
}

test.each([
  ["by FIN", () => proxy.hangUp()],
  ["by RST", () => proxy.reset()],
  ["before COMMIT", () => proxy.at({ point: "commit", nth: 1, when: "before" }, async () => proxy.hangUp())],
  ["after COMMIT", () => proxy.at({ point: "commit", nth: 1, when: "after" }, async () => proxy.hangUp())],
])(
  "connectPostgres() rejects transactions whose connection is lost %s, and goes on",
  async (_how, lose) => {
    for (let round = 0; round < 10; round++) {
      const lost = await loseTransactions(lose);
      expect(lost.some(({ status }) => status === "rejected")).toBe(true);
      // Every connection of the pool works again.
      const answers = Array.from({ length: 2 * CONNECTIONS }, () => sql`select pg_sleep(0.01)`);
      expect((await Promise.all(answers)).length).toBe(2 * CONNECTIONS);
    }
  },
  60_000,
);
