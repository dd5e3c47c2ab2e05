import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { checkEventConservation } from "../../src/domain/events/check-event-conservation.ts";
import { loadProgress } from "../../src/domain/deliveries/fan-out-store.ts";
import { SLOTS } from "../../src/domain/deliveries/lane-turns.ts";
import { newId } from "../../src/platform/uuid.ts";
import {
  attemptsOf,
  type DeliveryFixture,
  freshTenant,
  Receiver,
  startDeliveries,
  startWorkerProcess,
  until,
} from "./delivery-fixture.ts";

let fixture: DeliveryFixture;
let receiver: Receiver;

beforeAll(async () => {
  fixture = await startDeliveries();
  receiver = new Receiver();
}, 60_000);

afterAll(async () => {
  await receiver.stop();
  await fixture.stop();
}, 60_000);

const eventType = (): string => `order.t${newId().replaceAll("-", "").slice(-12)}`;

describe("fan-out", () => {
  test("of one event to more subscriptions than a chunk holds goes on after a kill; each gets it", async () => {
    const type = eventType();
    const count = 2_600;
    for (let start = 0; start < count; start += 100) {
      const size = Math.min(100, count - start);
      await Promise.all(
        Array.from({ length: size }, (_, index) =>
          fixture.subscribe(receiver.url, {
            eventTypes: [type],
            headers: { "x-subscription": String(start + index) },
          }),
        ),
      );
    }
    let worker = await startWorkerProcess(fixture);
    const [id] = await fixture.publish([{ type }]);
    await until("some arrived", () => receiver.requests.length > 100);
    await worker.kill();
    worker = await startWorkerProcess(fixture);
    const reached = (): Set<string | null> =>
      new Set(receiver.requests.map(({ headers }) => headers.get("x-subscription")));
    await until("every subscription got it", () => reached().size === count, 60_000);
    await until("the event's row tells how many it met", async () => {
      const [row] = await fixture.runtime
        .sqlSystem`select matched, fan_out_cursor as cursor from events where id = ${id!}`;
      return row!["matched"] === count && row!["cursor"] === null;
    });
    // A fan-out that is complete and whose entry is read again, because its owner died, is not begun again.
    const [event] = await fixture.runtime.sqlSystem<{ tenantId: string; acceptedAt: Date }[]>`
      select tenant_id as "tenantId", created_at as "acceptedAt" from events where id = ${id!}`;
    const name = { tenantId: event!.tenantId, id: id!, acceptedAt: event!.acceptedAt.getTime() };
    expect(await loadProgress(fixture.runtime.sqlSystem, name)).toEqual({ matched: count, cursor: null });
    const unknown = { ...name, id: newId() };
    expect(await loadProgress(fixture.runtime.sqlSystem, unknown)).toBeUndefined();
    await until("the event is out of its stream", async () => {
      const { waiting, difference } = await checkEventConservation(fixture.runtime);
      return waiting === 0 && difference === 0;
    });
    expect(receiver.requests.length - count).toBeLessThanOrEqual(SLOTS);
    expect(new Set(receiver.ids())).toEqual(new Set([id!]));
    await worker.stop();
  }, 120_000);

  test("reaches the tenant's own matching subscriptions only, and an event that none matches is stored", async () => {
    const type = eventType();
    const other = await freshTenant(fixture.runtime);
    const mine = new Receiver();
    const { id } = await fixture.subscribe(mine.url, {
      eventTypes: [`${type.slice(0, 8)}*`],
      filter: { "data.status": { $in: ["NEW"] } },
    });
    const worker = await startWorkerProcess(fixture);
    const [matching] = await fixture.publish([{ type, data: { status: "NEW" } }]);
    const [filtered] = await fixture.publish([{ type, data: { status: "OLD" } }]);
    await fixture.publish([{ type, data: { status: "NEW" } }], other);
    await until("it arrived", () => mine.requests.length > 0);
    await until("all three are stored", async () => {
      const rows = await fixture.runtime.sqlSystem`select matched from events where type = ${type}`;
      return rows.length === 3;
    });
    const [row] = await fixture.runtime.sqlSystem`select matched from events where id = ${filtered!}`;
    expect(row!["matched"]).toBe(0);
    await until("the attempt is stored", async () => (await attemptsOf(fixture, id)).length === 1);
    expect(mine.ids()).toEqual([matching!]);
    await worker.stop();
    await mine.stop();
  }, 60_000);

  test("carries data of 200 KB that lies in Postgres, whole", async () => {
    const type = eventType();
    const mine = new Receiver();
    await fixture.subscribe(mine.url, { eventTypes: [type] });
    const worker = await startWorkerProcess(fixture);
    const text = "ä".repeat(100_000);
    await fixture.publish([{ type, data: { text } }]);
    await until("it arrived", () => mine.requests.length === 1);
    expect(JSON.parse(mine.requests[0]!.body).data.text).toBe(text);
    await worker.stop();
    await mine.stop();
  }, 60_000);
});
