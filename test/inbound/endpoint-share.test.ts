import { describe, expect, test } from "bun:test";
import { type DeferredEntry, EndpointShare } from "../../src/domain/inbound/endpoint-share.ts";
import { ConsumerSession, type HeldEntry } from "../../src/platform/streams/stream-entry.ts";
import { newId } from "../../src/platform/uuid.ts";

const session = new ConsumerSession(
  { consumer: "w0", held: () => true, lost: () => false, release: () => Promise.resolve() },
  1,
);

function entries(endpointId: string, count: number): HeldEntry[] {
  return Array.from({ length: count }, (_, n) => ({
    session,
    partition: 0,
    id: `${n}-0`,
    fields: ["m", JSON.stringify({ id: newId(), endpointId })],
    deliveries: 1,
  }));
}

/** A share over a queue of 100 whose doings are written down. */
function shareOf100() {
  const started: HeldEntry[] = [];
  const deferred: DeferredEntry[] = [];
  const share = new EndpointShare({
    queueSize: 100,
    nowMs: () => 1_000_000,
    start: (some) => void started.push(...some),
    defer: (some) => void deferred.push(...some),
  });
  return { share, started, deferred };
}

/** Longer than the time after which an endpoint counts as slow. */
const LONG_MS = 700;

describe("EndpointShare", () => {
  test("starts at most a quarter of the queue of one endpoint; the rest waits", () => {
    const { share, started, deferred } = shareOf100();
    share.admit(entries(newId(), 40));
    share.tick();
    expect([started.length, deferred.length]).toEqual([25, 0]);
  });

  test("starts what waits as soon as earlier entries leave, in order", async () => {
    const { share, started } = shareOf100();
    const own = entries(newId(), 40);
    share.admit(own);
    for (const entry of own.slice(0, 10)) share.leave(entry);
    await new Promise((resolve) => setImmediate(resolve));
    expect(started).toEqual(own.slice(0, 35));
  });

  test("leaves room for others, however many endpoints fill their share", () => {
    const { share, started } = shareOf100();
    for (let n = 0; n < 10; n++) share.admit(entries(newId(), 30));
    const last = entries(newId(), 1);
    share.admit(last);
    expect(started).toContain(last[0]!);
    expect(new Set(started).size).toBe(started.length);
  });

  test("sends away what waits for a slow endpoint, and never what was started", async () => {
    const { share, started, deferred } = shareOf100();
    const own = entries(newId(), 40);
    share.admit(own);
    await Bun.sleep(LONG_MS);
    share.tick();
    expect(started).toEqual(own.slice(0, 25));
    expect(deferred.map(({ entry }) => entry)).toEqual(own.slice(25));
    const times = deferred.map(({ dueMs }) => dueMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(Math.min(...times)).toBeGreaterThan(1_000_000);
    expect(share.isInWork(own[0]!)).toBe(true);
    expect(share.isInWork(own[30]!)).toBe(false);
  });

  test("is not disturbed by entries that it does not know or that leave twice", () => {
    const { share, started } = shareOf100();
    const own = entries(newId(), 25);
    share.admit(own);
    const stranger = entries(newId(), 1)[0]!;
    share.leave(stranger);
    share.leave(own[0]!);
    share.leave(own[0]!);
    const more = entries(newId(), 30);
    share.admit(more);
    expect(started.length).toBe(50);
  });

  test("takes an entry without an endpoint as one more endpoint's", () => {
    const { share, started } = shareOf100();
    const strange: HeldEntry = { session, partition: 0, id: "1-0", fields: [], deliveries: 1 };
    share.admit([strange]);
    expect(started).toEqual([strange]);
  });
});
