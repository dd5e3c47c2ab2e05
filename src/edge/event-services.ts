import { EventPublisher } from "../domain/events/event-publisher.ts";
import { EventTypeCatalogue } from "../domain/events/event-type-catalogue.ts";
import { LiveFeed } from "../domain/events/live-feed.ts";
import { followSubscriptions } from "../domain/events/publish-hub-event.ts";
import type { PublishDeps } from "../domain/events/publish-events.ts";
import { startCapacityPoller } from "../domain/inbound/capacity.ts";
import { subscribeInvalidation } from "../platform/invalidation.ts";
import { untilListening } from "../platform/redis/until-listening.ts";
import { eventKeys } from "../platform/redis/keys.ts";
import type { Runtime } from "../platform/runtime.ts";

/** What an edge process keeps for events, opened with the first request that needs it. */
export interface EventServices {
  publishing: PublishDeps;
  liveFeed: LiveFeed;
}

const opened = new WeakMap<Runtime, EventServices>();

/** The process's one publisher, catalogue and feed of live views. */
export function eventServicesOf(runtime: Runtime): EventServices {
  const known = opened.get(runtime);
  if (known !== undefined) return known;
  const catalogue = new EventTypeCatalogue(runtime);
  const publisher = new EventPublisher(runtime, startCapacityPoller(runtime, eventKeys));
  const services = { publishing: { publisher, catalogue }, liveFeed: new LiveFeed(runtime) };
  opened.set(runtime, services);
  void untilListening(runtime, "event types", () =>
    subscribeInvalidation(runtime, {
      handlers: { event_type: (tenantId) => catalogue.invalidate(tenantId) },
      onReconnect: () => catalogue.clear(),
    }),
  );
  void untilListening(runtime, "subscriptions", () => followSubscriptions(runtime));
  return services;
}
