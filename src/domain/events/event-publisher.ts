import { untilReady } from "../../platform/redis/info.ts";
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

/** One event with what travels beside it. */
export interface PublishItem {
  event: CheckedEvent;
  source: EventMessage["source"];
  correlationId?: string | undefined;
  traceparent?: string | undefined;
  /** When the hub took it, where that is known from before: a repetition's row meets the first one. Now when left out. */
  acceptedAt?: number;
}

/** Seconds after which a publisher should try again. */
const RETRY_AFTER_SECONDS = 1;

/** W3C Trace Context, section 3.2: anything else tells nothing and is dropped. */
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Longest wait of a process's first requests. */
const CONNECT_TIMEOUT_MS = 1_000;

/** Puts checked events into their streams; one of each process, because it collects the requests of a turn. */
export class EventPublisher {
  readonly #runtime: Runtime;
  readonly #capacity: EventCapacity;
  readonly #batcher: PublishBatcher;
  /** The client refuses what comes before it has connected; the first requests of a process wait for that. */
  readonly #connected: Promise<void>;

  constructor(runtime: Runtime, capacity: EventCapacity) {
    const client = runtime.openRedis("ingest");
    this.#runtime = runtime;
    this.#connected = untilReady(client, CONNECT_TIMEOUT_MS).catch(() => undefined);
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
   * @throws HubError 503 `capacity_exceeded`: nothing was taken (on a Cluster: perhaps a part); `unavailable`: unknown
   * what was taken. A repetition with the same ids adds only what is missing.
   */
  async publish(tenantId: string, items: readonly PublishItem[]): Promise<PublishReceipt[]> {
    if (this.#capacity.refusal(tenantId) !== undefined) throw refused("capacity_exceeded");
    const commands = await this.#compose(tenantId, items);
    await this.#connected;
    const outcome = await this.#batcher.add(commands);
    if (outcome.status === "full") throw refused("capacity_exceeded");
    if (outcome.status === "unavailable") throw refused("unavailable");
    return items.map(({ event: { id, externalId = null } }, index) => {
      const first = outcome.first[index];
      const own = readSeenValue(commands[index]!.seenValue);
      const isConflict = first !== undefined && readSeenValue(first).content !== own.content;
      return { id, externalId, status: first === undefined ? "accepted" : "duplicate", isConflict };
    });
  }

  /** Large data is stored before anything refers to it. */
  async #compose(tenantId: string, items: readonly PublishItem[]): Promise<PublishCommand[]> {
    const largeIds = new Map<PublishItem, string>();
    for (const item of items) {
      if (item.event.dataSize <= LARGE_DATA_BYTES) continue;
      const saved = saveLargeData(this.#runtime, tenantId, item.event.data);
      largeIds.set(item, await saved.catch((error: unknown) => this.#refuseLarge(error)));
    }
    const nowMs = this.#runtime.clock.nowMs();
    return items.map((item) => this.#command(tenantId, { acceptedAt: nowMs, ...item }, largeIds.get(item)));
  }

  #refuseLarge(error: unknown): never {
    this.#runtime.log.warn({ err: error }, "large event not stored");
    throw refused("unavailable");
  }

  #command(
    tenantId: string,
    item: PublishItem & { acceptedAt: number },
    largeBodyId: string | undefined,
  ): PublishCommand {
    const { event, source, correlationId, traceparent, acceptedAt } = item;
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
      ...(traceparent !== undefined && TRACEPARENT.test(traceparent) ? { traceparent } : {}),
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
