import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Server } from "bun";
import { checkDeliveryConservation } from "../../../src/domain/deliveries/check-delivery-conservation.ts";
import { SLOTS } from "../../../src/domain/deliveries/lane-turns.ts";
import { checkEventConservation } from "../../../src/domain/events/check-event-conservation.ts";
import { SUBSCRIPTION_TABLE } from "../../../src/domain/subscriptions/compile-subscription.ts";
import { sealSecret } from "../../../src/domain/vault/seal-secret.ts";
import { newId } from "../../../src/platform/uuid.ts";
import {
  type DeliveryFixture,
  startDeliveries,
  startWorkerProcess,
  until,
} from "../../deliveries/delivery-fixture.ts";

const COUNT = 100_000;
const PAGE_SIZE = 5_000;
const TIMEOUT_MS = 600_000;

let fixture: DeliveryFixture;
let server: Server<undefined>;
/** Requests by number of the subscription. */
const requests = new Uint8Array(COUNT);
let reached = 0;

beforeAll(async () => {
  fixture = await startDeliveries();
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 60,
    async fetch(request) {
      await request.arrayBuffer();
      const number = Number(new URL(request.url).searchParams.get("n"));
      if (requests[number]!++ === 0) reached++;
      return new Response();
    },
  });
}, 60_000);

afterAll(async () => {
  await server.stop(true);
  await fixture.stop();
}, 60_000);

/** Copies one subscription, each copy with an address and a sealed secret of its own. */
async function subscribeMany(): Promise<void> {
  const { ctx, runtime } = fixture;
  const { id, secretKey } = await fixture.subscribe(`${server.url.href}?n=0`, { eventTypes: ["*"] });
  const { tenantId } = ctx;
  for (let start = 1; start < COUNT; start += PAGE_SIZE) {
    const ids = Array.from({ length: Math.min(PAGE_SIZE, COUNT - start) }, () => newId());
    await runtime.sqlSystem.begin(async (tx) => {
      const place = { tenantId, table: SUBSCRIPTION_TABLE, column: "secret_key" };
      const secrets: string[] = [];
      for (const rowId of ids) secrets.push(await sealSecret(runtime, tx, { ...place, rowId }, secretKey));
      await tx`
        insert into webhook_subscriptions
        select (jsonb_populate_record(first, jsonb_build_object(
          'id', copy.id, 'secret_key', copy.secret, 'url', ${`${server.url.href}?n=`}::text || copy.number))).*
        from webhook_subscriptions first,
          unnest(${ids}::text[]::uuid[], ${secrets}::text[],
                 ${ids.map((_, index) => start + index)}::int[]) as copy(id, secret, number)
        where first.id = ${id}`;
    });
  }
}

describe("100,000 subscriptions of one tenant to `*`", () => {
  test(
    "get one event each, though its worker is killed amid the fan-out and amid the deliveries",
    async () => {
      await subscribeMany();
      const startedMs = performance.now();
      const progress = async (id: string): Promise<{ matched: number | null; cursor: string | null }> => {
        const [row] = await fixture.runtime.sqlSystem<{ matched: number | null; cursor: string | null }[]>`
          select matched, fan_out_cursor as cursor from events where id = ${id}`;
        return row ?? { matched: null, cursor: null };
      };
      let worker = await startWorkerProcess(fixture);
      const [id] = await fixture.publish([{ type: "order.created" }]);
      await until(
        "a part is fanned out",
        async () => ((await progress(id!)).matched ?? 0) > COUNT / 4,
        TIMEOUT_MS,
      );
      await worker.kill();
      const killed = await progress(id!);
      expect(killed.cursor).not.toBeNull();
      worker = await startWorkerProcess(fixture);
      const isWhole = async (): Promise<boolean> => {
        const { matched, cursor } = await progress(id!);
        return matched === COUNT && cursor === null;
      };
      await until("all are matched", isWhole, TIMEOUT_MS);
      await until("half are reached", () => reached > COUNT / 2, TIMEOUT_MS);
      await worker.kill();
      worker = await startWorkerProcess(fixture);
      await until("every one is reached", () => reached === COUNT, TIMEOUT_MS);
      await until(
        "everything is booked",
        async () => {
          const [events, deliveries] = await Promise.all([
            checkEventConservation(fixture.runtime),
            checkDeliveryConservation(fixture.runtime),
          ]);
          return (
            events.waiting + events.difference === 0 && deliveries.live === 0 && deliveries.difference === 0
          );
        },
        TIMEOUT_MS,
      );
      const total = requests.reduce((sum, count) => sum + count, 0);
      const seconds = (performance.now() - startedMs) / 1000;
      console.log(
        `many subscriptions: ${reached} reached in ${seconds.toFixed(1)} s, killed at ${killed.matched} matched and ` +
          `again at half, ${total - COUNT} twice`,
      );
      expect(total - COUNT).toBeLessThanOrEqual(2 * SLOTS);
      const [attempts] = await fixture.runtime.sqlSystem`
        select count(distinct delivery_id)::int as n from webhook_deliveries
        where event_id = ${id!} and status = 'DELIVERED'`;
      expect(attempts!["n"]).toBe(COUNT);
      await worker.stop();
    },
    2 * TIMEOUT_MS,
  );
});
