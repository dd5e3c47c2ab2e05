import { masterNodes } from "../../platform/redis/info.ts";
import { STORED_EVENTS_CHANNEL } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { EventMessage } from "./topics.ts";

/** By tenant, id and time of acceptance of each event that was stored. */
export type StoredNotice = Record<string, [id: string, acceptedAt: number][]>;

/**
 * Tells live views that events were stored; to be called after their commit. A notice that is lost costs a live view a
 * few seconds, so nobody waits for it.
 */
export function announceStored(
  runtime: Pick<Runtime, "redis" | "log">,
  messages: readonly Pick<EventMessage, "id" | "tenantId" | "acceptedAt">[],
): void {
  if (messages.length === 0) return;
  const notice: StoredNotice = {};
  for (const { id, tenantId, acceptedAt } of messages) (notice[tenantId] ??= []).push([id, acceptedAt]);
  const text = JSON.stringify(notice);
  // A Cluster's client publishes by any master, and over two of them the second notice can overtake the first.
  const [first] = masterNodes(runtime.redis);
  (first ?? runtime.redis)
    .publish(STORED_EVENTS_CHANNEL, text)
    .catch(() => runtime.redis.publish(STORED_EVENTS_CHANNEL, text))
    .catch((error: unknown) => {
      runtime.log.debug({ err: error }, "live views were not told");
    });
}
