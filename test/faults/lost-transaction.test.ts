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

test("a statement that is sent in answer to the loss of its connection is never answered by the next session", async () => {
  for (let round = 0; round < 20; round++) {
    const again = Array.from({ length: 2 * CONNECTIONS }, () =>
      sql`select pg_sleep(0.5)`.then(
        () => undefined,
        () => sql<{ one: number }[]>`select ${round}::int as one`.catch((error: Error) => error),
      ),
    );
    await Bun.sleep(20);
    proxy.reset();
    for (const answer of await Promise.all(again)) {
      // Undefined: the first statement had come too late to be lost.
      if (Array.isArray(answer)) expect([...answer]).toEqual([{ one: round }]);
    }
  }
}, 60_000);

test("a transaction that was lost between two statements runs none of them on the connection's next session", async () => {
  for (let round = 0; round < 10; round++) {
    const begun = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const later = Promise.withResolvers<unknown>();
    const lost = sql
      .begin(async (tx) => {
        await tx`select 1`;
        begun.resolve();
        await goOn.promise;
        const statements = await Promise.allSettled([tx`select 2 as two`, tx`select 3 as three`]);
        later.resolve(statements.map(({ status }) => status));
      })
      .then(
        () => "committed",
        () => "rejected",
      );
    await begun.promise;
    proxy.reset();
    // Others bring the pool's connections up again before the lost transaction's owner goes on.
    await Promise.allSettled(Array.from({ length: 2 * CONNECTIONS }, () => sql`select pg_sleep(0.01)`));
    goOn.resolve();
    expect(await later.promise).toEqual(["rejected", "rejected"]);
    expect(await lost).toBe("rejected");
  }
}, 60_000);

test("connectPostgres() gives every answer to its own question while connections are reset at any moment", async () => {
  const over = new AbortController();
  const wrong: unknown[] = [];
  let answered = 0;
  const ask = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const value = crypto.randomUUID();
      try {
        const rows =
          answered % 2 === 0
            ? await sql`select ${value}::text as value`
            : await sql.begin(async (tx) => {
                await tx`select set_config('app.tenant', ${value}, true)`;
                return tx`select current_setting('app.tenant') as value`;
              });
        if (rows.length !== 1 || rows[0]!["value"] !== value) wrong.push(rows);
        answered++;
      } catch {
        await Bun.sleep(1);
      }
    }
  };
  const asking = Array.from({ length: 20 }, ask);
  for (let round = 0; round < 40; round++) {
    await Bun.sleep(20 + Math.random() * 60);
    proxy.reset();
  }
  over.abort();
  await Promise.all(asking);
  expect(wrong).toEqual([]);
  expect(answered).toBeGreaterThan(100);
}, 60_000);
