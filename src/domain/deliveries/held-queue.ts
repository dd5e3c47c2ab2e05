import { deliveryQueueKey } from "../../platform/redis/keys.ts";
import type { RedisClient } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { decodeMember, deliveryIdOf } from "./delivery-id.ts";
import type { OwnedPartition } from "./delivery-work.ts";
import type { Lane } from "./lane.ts";
import { type QueueRow, showWaiting } from "./open-delivery-store.ts";

const PAGE_SIZE = 500;
/** Rows of events are written beside their first deliveries. */
const ROWS_WAIT_MS = 300;

/**
 * Makes what waits in the queue of a paused or disabled subscription visible in Postgres as HELD, from where it would come
 * back if Redis lost its data.
 *
 * @throws when Redis or Postgres is away; the look at held subscriptions finds them again
 */
export async function heldQueue(
  { runtime, client }: { runtime: Runtime; client: RedisClient },
  owned: OwnedPartition,
  lane: Lane,
): Promise<void> {
  const queue = deliveryQueueKey(owned.partition, lane.subscriptionId);
  const mayGoOn = (): boolean => lane.isParked && owned.lease.isHeld();
  const show = (members: readonly string[]): Promise<void> =>
    showWaiting(
      runtime.sqlSystem,
      members.map((member) => queueRow(lane.tenantId, lane.subscriptionId, member)),
      "HELD",
    );
  // What is in memory still is in flight or on its way back: its own result says where it stands.
  let inMemory: string[] = [];
  await Bun.sleep(ROWS_WAIT_MS);
  for (let start = 0; mayGoOn(); start += PAGE_SIZE) {
    // A lane that is forgotten meanwhile would not hear of a resume.
    lane.lastUsedMs = runtime.clock.nowMs();
    const members = await client.zrange(queue, String(start), String(start + PAGE_SIZE - 1));
    // Parted at one moment: what leaves memory during the wait would else be in neither part.
    inMemory.push(...members.filter((member) => lane.held.has(member)));
    await show(members.filter((member) => !lane.held.has(member)));
    if (members.length < PAGE_SIZE) break;
  }
  while (inMemory.length > 0 && mayGoOn()) {
    await Bun.sleep(ROWS_WAIT_MS);
    const left = inMemory.filter((member) => !lane.held.has(member));
    inMemory = inMemory.filter((member) => lane.held.has(member));
    const scores = await Promise.all(left.map((member) => client.zscore(queue, member)));
    await show(left.filter((_, index) => scores[index] !== null));
  }
}

/** The row of a queue's member. */
export function queueRow(tenantId: string, subscriptionId: string, member: string): QueueRow {
  const { eventId, eventCreatedAtMs, replayId } = decodeMember(member);
  return {
    id: deliveryIdOf({ eventId, subscriptionId, replayId }),
    tenantId,
    subscriptionId,
    eventId,
    eventCreatedAtMs,
    replayId: replayId ?? null,
  };
}
