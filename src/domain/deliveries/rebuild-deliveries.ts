import type { Lease } from "../../platform/lease.ts";
import { DELIVERIES_INCARNATION_KEY } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { newId, timeOfId } from "../../platform/uuid.ts";
import { SubscriptionCache, type SubscriptionEntry } from "../subscriptions/subscription-cache.ts";
import { deliveryIdOf, encodeMember } from "./delivery-id.ts";
import type { QueuedDelivery } from "./enqueue-deliveries.ts";
import { loadLastAttempts } from "./open-delivery-store.ts";
import { enlistDeliveries, queuedOf, withoutPlace } from "./sweep-deliveries.ts";
import { oldestEventTime, type StoredEventRow, walkEvents, walkOpenDeliveries } from "./sweep-store.ts";

const PAGE_SIZE = 500;

/** Events are walked by the hour: a sort over a month of them would not fit into memory. */
const WINDOW_MS = 3_600_000;

type Held = Pick<Lease, "isHeld">;

/**
 * Puts everything that Postgres knows as unfinished into a Redis that has lost its deliveries: what is open, with its due
 * times, and of every stored event those deliveries that were never attempted. The marker that is set at the end tells that
 * it was done; a run that was broken off is repeated whole and adds nothing twice. Events that were accepted and not yet
 * in Postgres went with the disk.
 *
 * @returns how many deliveries came back; undefined when Redis still has its data
 * @throws when Redis or Postgres is away
 */
export async function rebuildDeliveries(runtime: Runtime, lease: Held): Promise<number | undefined> {
  const { redis, sqlSystem, clock } = runtime;
  if ((await redis.get(DELIVERIES_INCARNATION_KEY)) !== null) return undefined;
  const startedAtMs = clock.nowMs();
  let enlisted = 0;
  for await (const rows of walkOpenDeliveries(sqlSystem, PAGE_SIZE)) {
    if (!lease.isHeld()) return enlisted;
    enlisted += await enlistDeliveries(runtime, rows.map(queuedOf));
  }
  const subscriptions = new SubscriptionCache(runtime);
  const oldest = await oldestEventTime(sqlSystem);
  let fromMs = oldest?.getTime() ?? startedAtMs;
  for (; fromMs < startedAtMs; fromMs += WINDOW_MS) {
    const to = new Date(Math.min(fromMs + WINDOW_MS, startedAtMs));
    for await (const events of walkEvents(sqlSystem, new Date(fromMs), to, PAGE_SIZE)) {
      if (!lease.isHeld()) return enlisted;
      enlisted += await enlistDeliveries(runtime, await neverAttempted(runtime, subscriptions, events));
    }
  }
  await redis.set(DELIVERIES_INCARNATION_KEY, newId(), "NX");
  return enlisted;
}

/**
 * Deliveries of these events that are in no queue and for which no attempt is stored, as the subscriptions are now. The
 * attempts are read after the queues, because a delivery leaves its queue only when its attempt is stored.
 */
async function neverAttempted(
  runtime: Runtime,
  subscriptions: SubscriptionCache,
  events: readonly StoredEventRow[],
): Promise<QueuedDelivery[]> {
  const candidates: (QueuedDelivery & { eventId: string })[] = [];
  for (const event of events) {
    const entries = await subscriptions.matching(event.tenantId, {
      id: event.id,
      type: event.type,
      orderingKey: event.orderingKey ?? undefined,
      data: () => JSON.parse(event.data) as unknown,
    });
    for (const entry of entries) {
      // What was subscribed later was not given the event.
      if (timeOfId(entry.id) <= event.createdAt.getTime()) candidates.push(candidateOf(event, entry));
    }
  }
  const missing = await withoutPlace(runtime, candidates);
  const attempted = await loadLastAttempts(runtime.sqlSystem, missing, events[0]!.createdAt.getTime());
  return missing.filter((one) => !attempted.has(deliveryIdOf(one)));
}

function candidateOf(event: StoredEventRow, entry: SubscriptionEntry): QueuedDelivery & { eventId: string } {
  return {
    eventId: event.id,
    subscriptionId: entry.id,
    tenantId: entry.tenantId,
    isActive: true,
    member: encodeMember({ eventId: event.id, eventCreatedAtMs: event.createdAt.getTime() }),
    due: "now",
    orderingKey: entry.orderingMode === "KEY" ? (event.orderingKey ?? undefined) : undefined,
  };
}
