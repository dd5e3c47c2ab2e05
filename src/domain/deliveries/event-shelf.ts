import type { Runtime } from "../../platform/runtime.ts";
import { type EventRef, eventRefKey, loadEventBodies, type StoredEvent } from "../events/store.ts";
import type { DeliveryEvent } from "./delivery-work.ts";

/** Bytes of event data that are kept for the next delivery of the same event. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024;
/** What an event costs besides its data. */
const EVENT_OVERHEAD_BYTES = 500;

/** Events by name, so that 1,000 deliveries of one event share its data and read it once. */
export class EventShelf {
  readonly #runtime: Runtime;
  readonly #kept = new Map<string, DeliveryEvent>();
  #keptBytes = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /**
   * Events with their data, by `eventRefKey`; those that have no row are missing.
   *
   * @throws when Postgres is away
   */
  async load(refs: readonly EventRef[]): Promise<Map<string, DeliveryEvent>> {
    const found = new Map<string, DeliveryEvent>();
    const missing = new Map<string, EventRef>();
    for (const ref of refs) {
      const key = eventRefKey(ref);
      const kept = this.#kept.get(key);
      if (kept !== undefined) found.set(key, kept);
      else missing.set(key, ref);
    }
    if (missing.size === 0) return found;
    for (const [key, row] of await loadEventBodies(this.#runtime.sqlSystem, [...missing.values()])) {
      const event = deliveryEvent(row);
      found.set(key, event);
      this.#keep(key, event);
    }
    return found;
  }

  #keep(key: string, event: DeliveryEvent): void {
    this.#kept.set(key, event);
    this.#keptBytes += event.data.length + EVENT_OVERHEAD_BYTES;
    for (const [oldest, { data }] of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES_MAX) return;
      this.#kept.delete(oldest);
      this.#keptBytes -= data.length + EVENT_OVERHEAD_BYTES;
    }
  }
}

function deliveryEvent(row: StoredEvent): DeliveryEvent {
  return {
    id: row.id,
    tenantId: row.tenantId,
    type: row.type,
    occurredAtMs: row.occurredAt.getTime(),
    createdAtMs: row.createdAt.getTime(),
    orderingKey: row.orderingKey ?? undefined,
    correlationId: row.correlationId ?? undefined,
    traceparent: row.traceparent ?? undefined,
    data: row.data,
  };
}
