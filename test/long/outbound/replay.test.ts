import { afterAll, beforeAll, expect, test } from "bun:test";
import { cancelReplay } from "../../../src/domain/deliveries/cancel-replay.ts";
import { checkDeliveryConservation } from "../../../src/domain/deliveries/check-delivery-conservation.ts";
import { DELIVERY_JOBS } from "../../../src/domain/deliveries/delivery-jobs.ts";
import { getReplay } from "../../../src/domain/deliveries/get-replay.ts";
import { replayDeliveries } from "../../../src/domain/deliveries/replay-deliveries.ts";
import { startJobs } from "../../../src/platform/jobs.ts";
import {
  type DeliveryFixture,
  startDeliveries,
  startWorker,
  until,
} from "../../deliveries/delivery-fixture.ts";
import { storeFailed } from "./stored-deliveries.ts";
import { TallyReceiver } from "./tally-receiver.ts";

const COUNT = 100_000;
const RATE_PER_SECOND = 500;
const TIMEOUT_MS = 400_000;

let fixture: DeliveryFixture;
let worker: Awaited<ReturnType<typeof startWorker>>;
let stopJobs: () => Promise<void>;

beforeAll(async () => {
  fixture = await startDeliveries();
  worker = await startWorker(fixture);
  stopJobs = startJobs(worker.runtime, "test", DELIVERY_JOBS);
}, TIMEOUT_MS);

afterAll(async () => {
  await stopJobs();
  await worker.stop();
  await fixture.stop();
}, TIMEOUT_MS);

test(
  "replayDeliveries() of 100,000 keeps to its rate, tells its progress, can be cancelled, and sends the rest once",
  async () => {
    const receiver = new TallyReceiver();
    const eventType = "order.failed";
    const { id: subscriptionId } = await fixture.subscribe(receiver.url, { eventTypes: [eventType] });
    await storeFailed(fixture, { subscriptionId, eventType, count: COUNT });
    const startedMs = performance.now();
    const slow = await replayDeliveries(fixture.ctx, { subscriptionId, ratePerSecond: RATE_PER_SECOND });
    expect(slow.matched).toBe(COUNT);
    let replayed = 0;
    let ratePerSecond = 0;
    await until(
      "3,000 are on their way",
      async () => {
        const progress = await getReplay(fixture.ctx, { id: slow.replayId! });
        const seconds = (performance.now() - startedMs) / 1000;
        expect(progress.replayed).toBeGreaterThanOrEqual(replayed);
        // A second's worth may be caught up with.
        expect(progress.replayed).toBeLessThanOrEqual(RATE_PER_SECOND * (seconds + 1) + 1);
        ({ replayed } = progress);
        ratePerSecond = replayed / seconds;
        await Bun.sleep(100);
        return replayed >= 3_000;
      },
      TIMEOUT_MS,
    );
    const cancelled = await cancelReplay(fixture.ctx, { id: slow.replayId! });
    expect(cancelled.status).toBe("CANCELLED");
    await untilBooked();
    const first = receiver.ids.size;
    expect(first).toBeLessThanOrEqual(cancelled.replayed);
    const ended = await getReplay(fixture.ctx, { id: slow.replayId! });
    expect(ended).toMatchObject({ status: "CANCELLED", replayed: cancelled.replayed, delivered: first });

    const plan = await replayDeliveries(fixture.ctx, { subscriptionId, dryRun: true });
    expect(plan).toEqual({ replayId: null, matched: COUNT - first });
    const restMs = performance.now();
    const rest = await replayDeliveries(fixture.ctx, { subscriptionId });
    await until(
      "the rest is delivered",
      async () => {
        await Bun.sleep(200);
        return (await getReplay(fixture.ctx, { id: rest.replayId! })).delivered === rest.matched;
      },
      TIMEOUT_MS,
    );
    await untilBooked();
    const seconds = (performance.now() - restMs) / 1000;
    console.log(
      `replayed ${COUNT} deliveries: ${Math.round(ratePerSecond)} a second of ${RATE_PER_SECOND} allowed, cancelled after ` +
        `${cancelled.replayed} of which ${first} arrived; the other ${rest.matched} in ${seconds.toFixed(1)} s, ` +
        `${Math.round(rest.matched / seconds)} a second, ${receiver.repeated} twice`,
    );
    expect(await getReplay(fixture.ctx, { id: rest.replayId! })).toMatchObject({
      status: "COMPLETED",
      replayed: COUNT - first,
      delivered: COUNT - first,
      failed: 0,
    });
    expect({ sent: receiver.ids.size, twice: receiver.repeated }).toEqual({ sent: COUNT, twice: 0 });
    expect((await checkDeliveryConservation(fixture.runtime)).difference).toBe(0);
    await receiver.stop();
  },
  2 * TIMEOUT_MS,
);

async function untilBooked(): Promise<void> {
  const isBooked = async (): Promise<boolean> =>
    (await checkDeliveryConservation(fixture.runtime)).live === 0;
  await until("everything is stored and booked", isBooked, TIMEOUT_MS);
}
