import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { mendDeadLetter } from "../../src/domain/dead-letters/mend-dead-letter.ts";
import { replayDeadLetter } from "../../src/domain/dead-letters/replay-dead-letter.ts";
import { checkEventConservation } from "../../src/domain/events/check-event-conservation.ts";
import { EventPublisher } from "../../src/domain/events/event-publisher.ts";
import { OutboxRelay } from "../../src/domain/events/relay-outbox.ts";
import { eventKeys, eventRoute, partitionOf } from "../../src/platform/redis/keys.ts";
import { newId } from "../../src/platform/uuid.ts";
import {
  type DeliveryFixture,
  Receiver,
  startDeliveries,
  startWorkerProcess,
  until,
} from "../deliveries/delivery-fixture.ts";

let fixture: DeliveryFixture;
let receiver: Receiver;
let owner: postgres.Sql;

beforeAll(async () => {
  fixture = await startDeliveries();
  receiver = new Receiver();
  owner = postgres(fixture.postgres.ownerUrl, { max: 1, onnotice: () => undefined });
}, 60_000);

afterAll(async () => {
  await owner.end();
  await receiver.stop();
  await fixture.stop();
}, 60_000);

const eventType = (): string => `order.t${newId().replaceAll("-", "").slice(-12)}`;

const lettersOf = (type: string) => fixture.runtime.sqlSystem<Record<string, unknown>[]>`
  select event_id as id, reason_code as reason, message, convert_from(body, 'UTF8') as body from dead_letters
  where event_type = ${type} order by id`;

/** Mends the dead letter of an event and replays it: it arrives under its own id, once. */
async function replayMended(type: string, body: string, eventId: string): Promise<void> {
  const { ctx, runtime } = fixture;
  const [letter] = await runtime.sqlSystem<{ id: string }[]>`
    select id from dead_letters where event_type = ${type} and event_id = ${eventId}`;
  const { id } = letter!;
  const before = await replayDeadLetter(ctx, { id }).catch((error: unknown) => error);
  expect(before).toMatchObject({ code: expect.stringMatching(/^(?:conflict|invalid_input)$/) });
  await mendDeadLetter(ctx, { id, mended: { body } });
  const replays = await Promise.allSettled([1, 2].map(() => replayDeadLetter(ctx, { id })));
  expect(replays.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  const publisher = new EventPublisher(runtime, { refusal: () => undefined, isNearCapacity: () => false });
  await new OutboxRelay(runtime, publisher).run({ isHeld: () => true });
  await until("the mended one arrived", () => receiver.ids().includes(eventId));
  await balanced();
  const again = await replayDeadLetter(ctx, { id }).catch((error: unknown) => error);
  expect(again).toMatchObject({ code: "conflict" });
  expect(receiver.ids().filter((one) => one === eventId)).toEqual([eventId]);
  const [row] = await runtime.sqlSystem<Record<string, unknown>[]>`
    select type, source, convert_from(payload, 'UTF8')::jsonb as data from events where id = ${eventId}`;
  expect(row).toMatchObject({ type, source: "API", data: JSON.parse(body) });
}

const balanced = () =>
  until("every event has left its stream", async () => {
    const { waiting, difference } = await checkEventConservation(fixture.runtime);
    return waiting === 0 && difference === 0;
  });

describe("an event that cannot be fanned out", () => {
  test("because its data is no JSON ends as a dead letter with its cause, and those behind it go on", async () => {
    const type = eventType();
    await fixture.subscribe(receiver.url, { eventTypes: [type], filter: { "data.n": { $gte: 1 } } });
    const { tenantId } = fixture.ctx;
    const [broken, good] = [newId(), newId()];
    const route = eventRoute({ tenantId, id: broken, orderingKey: "k" });
    const partition = partitionOf(route, fixture.runtime.config.streamPartitions);
    const message = { id: broken, tenantId, type, source: "API", orderingKey: "k", bodyEncoding: "utf8" };
    const times = { occurredAt: Date.now(), acceptedAt: Date.now(), bodySize: 1 };
    const { stream, ledger } = eventKeys(partition);
    await fixture.runtime.redis.xadd(stream, "*", "m", JSON.stringify({ ...message, ...times }), "b", "{");
    await fixture.runtime.redis.hincrby(ledger, `${tenantId}/accepted`, 1);
    await fixture.publish([{ id: good, type, orderingKey: "k" }]);
    const worker = await startWorkerProcess(fixture);
    await until("the good one arrived", () => receiver.ids().includes(good));
    await balanced();
    const letters = await lettersOf(type);
    expect(letters).toMatchObject([{ id: broken, reason: "event_unreadable", body: "{" }]);
    expect(String(letters[0]!["message"])).toMatch(
      /^the filter of subscription [0-9a-f-]{36} failed: JSON Parse error/,
    );
    expect(receiver.ids()).not.toContain(broken);
    await replayMended(type, '{"n":1}', broken);
    await worker.stop();
  }, 60_000);

  test("because its large data is lost is a dead letter and never an event without data", async () => {
    const type = eventType();
    await fixture.subscribe(receiver.url, { eventTypes: [type] });
    const [lost] = await fixture.publish([{ type, data: { text: "x".repeat(100_000) } }]);
    await fixture.runtime.sqlSystem`delete from large_bodies where tenant_id = ${fixture.ctx.tenantId}`;
    const [good] = await fixture.publish([{ type }]);
    const worker = await startWorkerProcess(fixture);
    await until("the good one arrived", () => receiver.ids().includes(good!));
    await balanced();
    const message = "its data is lost: it is in no table any more";
    expect(await lettersOf(type)).toMatchObject([
      { id: lost, reason: "event_unreadable", message, body: null },
    ]);
    expect(receiver.ids()).not.toContain(lost!);
    await replayMended(type, '{"text":"short"}', lost!);
    await worker.stop();
  }, 60_000);
});

describe("an event's row", () => {
  test("whose day has no partition is stored, because the day is made", async () => {
    const type = eventType();
    const day = new Date().toISOString().slice(0, 10).replaceAll("-", "");
    await owner.unsafe(`drop table events_${day}`);
    const [id] = await fixture.publish([{ type }]);
    const worker = await startWorkerProcess(fixture);
    const stored = () => fixture.runtime.sqlSystem`select id from events where type = ${type}`;
    await until("it is stored", async () => (await stored()).length === 1);
    expect(await stored()).toMatchObject([{ id }]);
    await balanced();
    expect((await lettersOf(type)).length).toBe(0);
    await worker.stop();
  }, 60_000);

  test("that is refused becomes a dead letter, and waits in its stream while that is refused too", async () => {
    const type = eventType();
    await owner.unsafe(`
      alter table events add constraint test_type check (type <> '${type}');
      create sequence test_refusals;
      grant usage on sequence test_refusals to hub_system;
      create function test_refuse() returns trigger language plpgsql as $$ begin
        if nextval('test_refusals') = 1 then raise check_violation; end if;
        return new;
      end $$;
      create trigger test_refuse before insert on dead_letters for each row execute function test_refuse()`);
    const worker = await startWorkerProcess(fixture);
    const [id] = await fixture.publish([{ type, data: { n: 7 } }]);
    await until("there is a dead letter", async () => (await lettersOf(type)).length > 0);
    await balanced();
    expect(await lettersOf(type)).toMatchObject([{ id, reason: "event_unstorable", body: '{"n":7}' }]);
    await worker.stop();
  }, 60_000);
});
