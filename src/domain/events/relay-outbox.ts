import type { Lease } from "../../platform/lease.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { EventPublisher, PublishItem } from "./event-publisher.ts";
import { deleteOutbox, type OutboxRow, readOutbox } from "./outbox-store.ts";

const BATCH_ROWS = 500;

/** A tenant that cannot be published for waits from the least, doubling to the longest, each by half more or less. */
const BACK_OFF_MIN_MS = 200;
const BACK_OFF_MAX_MS = 10_000;

/** When a tenant's turn comes again, and how long it waited for it. */
interface BackOff {
  untilMs: number;
  waitMs: number;
}

/**
 * Moves the events of the outbox into their streams, oldest first: published, then deleted, so that each arrives at
 * least once and under one id. A tenant that has no room waits; the others go on.
 */
export class OutboxRelay {
  readonly #runtime: Runtime;
  readonly #publisher: EventPublisher;
  readonly #backOffs = new Map<string, BackOff>();

  constructor(runtime: Runtime, publisher: EventPublisher) {
    this.#runtime = runtime;
    this.#publisher = publisher;
  }

  /**
   * Moves what is there.
   *
   * @param lease two relays at once would mix the order of a key
   * @returns how many events were moved
   * @throws when Postgres is away
   */
  async run(lease: Pick<Lease, "isHeld">): Promise<number> {
    let moved = 0;
    while (lease.isHeld()) {
      const rows = await readOutbox(this.#runtime.sqlSystem, BATCH_ROWS, this.#waiting());
      const byTenant = [...Map.groupBy(rows, ({ tenantId }) => tenantId)];
      const done = await Promise.all(byTenant.map(([tenantId, own]) => this.#publish(tenantId, own)));
      const ids = done.flat();
      if (ids.length > 0) await deleteOutbox(this.#runtime.sqlSystem, ids);
      moved += ids.length;
      if (rows.length < BATCH_ROWS) break;
    }
    return moved;
  }

  /** Tenants whose turn has not come. */
  #waiting(): string[] {
    const nowMs = this.#runtime.clock.nowMs();
    return [...this.#backOffs].filter(([, { untilMs }]) => nowMs < untilMs).map(([tenantId]) => tenantId);
  }

  /** @returns ids of the rows that are in their streams */
  async #publish(tenantId: string, rows: readonly OutboxRow[]): Promise<string[]> {
    try {
      await this.#publisher.publish(tenantId, rows.map(itemOf));
      this.#backOffs.delete(tenantId);
      return rows.map(({ id }) => id);
    } catch (error) {
      const last = this.#backOffs.get(tenantId)?.waitMs ?? BACK_OFF_MIN_MS / 2;
      const waitMs = Math.min(BACK_OFF_MAX_MS, last * 2);
      const untilMs = this.#runtime.clock.nowMs() + waitMs * (0.5 + Math.random());
      this.#backOffs.set(tenantId, { untilMs, waitMs });
      this.#runtime.log.warn({ err: error, tenantId, waitMs }, "hub events wait in the outbox");
      return [];
    }
  }
}

function itemOf(row: OutboxRow): PublishItem {
  const data = JSON.stringify(row.payload);
  return {
    event: {
      id: row.id,
      externalId: row.externalId ?? undefined,
      type: row.eventType,
      occurredAt: row.occurredAt.getTime(),
      orderingKey: row.orderingKey ?? undefined,
      schemaVersion: row.schemaVersion ?? undefined,
      data,
      dataSize: Buffer.byteLength(data),
    },
    source: row.source,
    correlationId: row.correlationId ?? undefined,
    traceparent: row.traceparent ?? undefined,
    acceptedAt: row.createdAt.getTime(),
  };
}
