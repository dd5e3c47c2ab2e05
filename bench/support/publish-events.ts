import type { HubUnderTest, Tenant } from "./hub-under-test.ts";

/** Events of about 1 KB that carry when they were published. */
export interface EventPlan {
  /** Types in turn: each has one subscription. */
  types: readonly string[];
  bodyBytes: number;
}

const nowMs = (): number => performance.timeOrigin + performance.now();

function eventOf(plan: EventPlan, sequence: number): Record<string, unknown> {
  return {
    id: crypto.randomUUID(),
    type: plan.types[sequence % plan.types.length],
    data: { publishedAt: nowMs(), sequence, filler: "x".repeat(plan.bodyBytes) },
  };
}

/**
 * Publishes a batch over the API.
 *
 * @throws Error with status and body when it is not answered with 202
 */
async function publish(hub: HubUnderTest, tenant: Tenant, events: readonly unknown[]): Promise<void> {
  const response = await fetch(`${hub.baseUrl}/api/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${tenant.apiKey}`, "content-type": "application/json" },
    body: JSON.stringify(events.length === 1 ? events[0] : { events }),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  if (response.status !== 202) throw new Error(`POST /api/v1/events answered ${response.status}: ${text}`);
}

const BATCH = 200;
/** Requests of the publisher at once. */
const PUBLISHERS = 2;

/**
 * Publishes as fast as deliveries arrive, for so long.
 *
 * @param waitingMax events that are published and not delivered at most: enough that the hub never runs dry
 * @returns events published
 */
export async function publishSaturating(
  target: { hub: HubUnderTest; tenant: Tenant },
  plan: EventPlan & { seconds: number; waitingMax: number; delivered(): Promise<number> },
): Promise<number> {
  const endMs = performance.now() + plan.seconds * 1000;
  let published = 0;
  let delivered = 0;
  const watch = setInterval(() => {
    void plan.delivered().then((count) => (delivered = count));
  }, 50);
  const publishUntilOver = async (): Promise<void> => {
    while (performance.now() < endMs) {
      if (published - delivered > plan.waitingMax) {
        await Bun.sleep(5);
        continue;
      }
      const first = published;
      published += BATCH;
      await publish(
        target.hub,
        target.tenant,
        Array.from({ length: BATCH }, (_, index) => eventOf(plan, first + index)),
      );
    }
  };
  try {
    await Promise.all(Array.from({ length: PUBLISHERS }, publishUntilOver));
  } finally {
    clearInterval(watch);
  }
  return published;
}

/**
 * Publishes single events at a steady rate, at their intended times, whatever the answers take.
 *
 * @returns events published
 */
export async function publishSteadily(
  target: { hub: HubUnderTest; tenant: Tenant },
  plan: EventPlan & { seconds: number; ratePerSecond: number },
): Promise<number> {
  const total = Math.round(plan.ratePerSecond * plan.seconds);
  const startedMs = performance.now();
  const answers: Promise<void>[] = [];
  for (let sequence = 0; sequence < total; sequence++) {
    const dueMs = startedMs + (sequence * 1000) / plan.ratePerSecond;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await Bun.sleep(waitMs);
    answers.push(publish(target.hub, target.tenant, [eventOf(plan, sequence)]));
  }
  await Promise.all(answers);
  return total;
}
