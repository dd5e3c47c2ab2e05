import { eventRoute, partitionOf } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { HubError } from "../errors.ts";
import type { CheckedEvent } from "./check-event.ts";
import { LARGE_DATA_BYTES, saveLargeData } from "./large-data.ts";
import { PublishBatcher, type PublishCommand } from "./publish-batch.ts";
import type { PublishReceipt } from "./schema.ts";
import { contentHash, readSeenValue, seenField, writeSeenValue } from "./seen-value.ts";
import type { EventMessage } from "./topics.ts";

/** What the last look at Redis said (see inbound/capacity.ts, which watches any topic). */
export interface EventCapacity {
  refusal(tenantId: string): string | undefined;
  isNearCapacity(): boolean;
}

/** Who published, and what travels with each event. */
export interface PublishOrigin {
  tenantId: string;
  source: EventMessage["source"];
  correlationId?: string | undefined;
  traceparent?: string | undefined;
}

/** Seconds after which a publisher should try again. */
const RETRY_AFTER_SECONDS = 1;

/** Puts checked events into their streams; one of each process, because it collects the requests of a turn. */
export class EventPublisher {
  readonly #runtime: Runtime;
  readonly #capacity: EventCapacity;
  readonly #batcher: PublishBatcher;

  constructor(runtime: Runtime, capacity: EventCapacity) {
    const client = runtime.openRedis("ingest");
    this.#runtime = runtime;
    this.#capacity = capacity;
    this.#batcher = new PublishBatcher({
      client,
      cluster: "nodes" in client,
      capacity: runtime.config.streamCapacity,
      isNearCapacity: () => capacity.isNearCapacity(),
      dedupeHotSeconds: runtime.config.dedupeHotSeconds,
      ackReplicas: runtime.config.ackReplicas,
      nowMs: () => runtime.clock.nowMs(),
    });
  }

  /**
   * Makes events durable: when it resolves they are in their streams and fsynced. Events of one ordering key keep the
   * order of the list, and of the calls.
   *
   * @param acceptedAt by event, when the same event may be published again and its row must meet itself; now when left out
   * @throws HubError 503 `capacity_exceeded`: nothing was taken (on a Cluster: perhaps a part); `unavailable`: unknown
   * what was taken. A repetition with the same ids adds only what is missing.
   */
  async publish(
    origin: PublishOrigin,
    events: readonly CheckedEvent[],
    acceptedAt?: (event: CheckedEvent) => number,
  ): Promise<PublishReceipt[]> {
    if (this.#capacity.refusal(origin.tenantId) !== undefined) throw refused("capacity_exceeded");
    const nowMs = this.#runtime.clock.nowMs();
    const commands = await this.#compose(origin, events, acceptedAt ?? (() => nowMs));
    const outcome = await this.#batcher.add(commands);
    if (outcome.status === "full") throw refused("capacity_exceeded");
    if (outcome.status === "unavailable") throw refused("unavailable");
    return events.map(({ id, externalId = null }, index) => {
      const first = outcome.first[index];
      const isConflict =
        first !== undefined &&
        readSeenValue(first).content !== readSeenValue(commands[index]!.seenValue).content;
      return { id, externalId, status: first === undefined ? "accepted" : "duplicate", isConflict };
    });
  }

  /** Every promise of `publish` in this order: large data is stored before anything refers to it. */
  async #compose(
    origin: PublishOrigin,
    events: readonly CheckedEvent[],
    acceptedAtOf: (event: CheckedEvent) => number,
  ): Promise<PublishCommand[]> {
    const largeIds = new Map<CheckedEvent, string>();
    for (const event of events) {
      if (event.dataSize > LARGE_DATA_BYTES) {
        const saved = saveLargeData(this.#runtime, origin.tenantId, event.data);
        largeIds.set(event, await saved.catch((error: unknown) => this.#refuseLarge(error)));
      }
    }
    return events.map((event) => this.#command(origin, event, acceptedAtOf(event), largeIds.get(event)));
  }

  #refuseLarge(error: unknown): never {
    this.#runtime.log.warn({ err: error }, "large event not stored");
    throw refused("unavailable");
  }

  #command(
    origin: PublishOrigin,
    event: CheckedEvent,
    acceptedAt: number,
    largeBodyId: string | undefined,
  ): PublishCommand {
    const { tenantId, source, correlationId, traceparent } = origin;
    const { id, type, externalId, orderingKey, schemaVersion, occurredAt, data, dataSize } = event;
    // Id and tenant come first: the count by tenant reads them without parsing.
    const message: EventMessage = {
      id,
      tenantId,
      type,
      source,
      occurredAt,
      acceptedAt,
      ...(externalId === undefined ? {} : { externalId }),
      ...(orderingKey === undefined ? {} : { orderingKey }),
      ...(schemaVersion === undefined ? {} : { schemaVersion }),
      ...(correlationId === undefined ? {} : { correlationId }),
      ...(traceparent === undefined ? {} : { traceparent }),
      ...(largeBodyId === undefined ? { bodyEncoding: "utf8" } : { bodyEncoding: "large", largeBodyId }),
      bodySize: dataSize,
    };
    return {
      tenantId,
      partition: partitionOf(
        eventRoute({ tenantId, id, orderingKey }),
        this.#runtime.config.streamPartitions,
      ),
      seenField: seenField(tenantId, id),
      seenValue: writeSeenValue({ acceptedAt, content: contentHash(event) }),
      meta: JSON.stringify(message),
      data: largeBodyId === undefined ? data : "",
    };
  }
}

function refused(code: "capacity_exceeded" | "unavailable"): HubError {
  return new HubError(code, undefined, { retryAfterSeconds: RETRY_AFTER_SECONDS });
}
