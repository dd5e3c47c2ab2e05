import { afterAll, beforeAll, expect, test } from "bun:test";
import { checkDeliveryConservation } from "../../../src/domain/deliveries/check-delivery-conservation.ts";
import { encodeMember } from "../../../src/domain/deliveries/delivery-id.ts";
import type { QueuedDelivery } from "../../../src/domain/deliveries/enqueue-deliveries.ts";
import { enlistDeliveries } from "../../../src/domain/deliveries/sweep-deliveries.ts";
import { newId } from "../../../src/platform/uuid.ts";
import { type DeliveryFixture, startDeliveries } from "../../deliveries/delivery-fixture.ts";

const COUNT = 1_000_000;
const SUBSCRIPTIONS = 20;
const PAGE_SIZE = 10_000;
const BYTES_MAX = 400;
const TIMEOUT_MS = 400_000;

let fixture: DeliveryFixture;

beforeAll(async () => {
  fixture = await startDeliveries();
}, TIMEOUT_MS);

afterAll(() => fixture.stop(), TIMEOUT_MS);

/** Bytes that Redis has taken, all masters together. */
async function usedMemory(): Promise<number> {
  const { redis } = fixture.runtime;
  const nodes = "nodes" in redis ? redis.nodes("master") : [redis];
  const texts = await Promise.all(nodes.map((node) => node.info("memory")));
  return texts.reduce((total, text) => total + Number(/^used_memory:(\d+)/m.exec(text)![1]), 0);
}

test.each<[string, (index: number) => string | undefined]>([
  ["without a key", () => undefined],
  ["each with an ordering key of its own", (index) => `order ${index}`],
])(
  "1,000,000 retries that wait, %s, cost at most 400 B of Redis each",
  async (what, orderingKeyOf) => {
    const { accepted } = await checkDeliveryConservation(fixture.runtime);
    const before = await usedMemory();
    const dueMs = Date.now() + 3_600_000;
    const subscriptions = Array.from({ length: SUBSCRIPTIONS }, () => newId());
    for (let start = 0; start < COUNT; start += PAGE_SIZE) {
      const page = Array.from({ length: PAGE_SIZE }, (_, index): QueuedDelivery => {
        const number = start + index;
        return {
          subscriptionId: subscriptions[number % SUBSCRIPTIONS]!,
          tenantId: fixture.ctx.tenantId,
          isActive: true,
          member: encodeMember({ eventId: newId(), eventCreatedAtMs: Date.now() }),
          due: dueMs + number,
          orderingKey: orderingKeyOf(number),
        };
      });
      expect(await enlistDeliveries(fixture.runtime, page)).toBe(PAGE_SIZE);
    }
    const bytes = ((await usedMemory()) - before) / COUNT;
    console.log(`waiting: ${COUNT} retries ${what} cost ${bytes.toFixed(0)} B of Redis each`);
    expect((await checkDeliveryConservation(fixture.runtime)).accepted - accepted).toBe(COUNT);
    expect(bytes).toBeLessThanOrEqual(BYTES_MAX);
  },
  TIMEOUT_MS,
);
