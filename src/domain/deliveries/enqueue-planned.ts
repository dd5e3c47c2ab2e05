import type { Runtime } from "../../platform/runtime.ts";
import type { DeliveryEngine } from "./delivery-engine.ts";
import type { DeliveryScripts } from "./delivery-scripts.ts";
import type { Delivery } from "./delivery-work.ts";
import { ENQUEUE_MAX, enqueueDeliveries, type QueuedDelivery } from "./enqueue-deliveries.ts";
import type { Lane } from "./lane.ts";

/** What enqueueing needs of its process. */
export interface EnqueueDeps {
  runtime: Runtime;
  scripts: Pick<DeliveryScripts, "enqueue">;
  /** The sender in this process, if there is one. */
  engine: DeliveryEngine | undefined;
  /** Redis is a Cluster. */
  isCluster: boolean;
}

/** One delivery to be enqueued, and the lane of this process that sends it at once. */
export interface Planned {
  queued: QueuedDelivery;
  partition: number;
  handOver: { lane: Lane; delivery: Delivery } | undefined;
}

const RETRY_WAIT_MS = 250;

type PlannedPartition = readonly [partition: number, planned: readonly Planned[]];

/**
 * Puts deliveries into their queues in the order of each partition, its next chunk after the one before, until Redis
 * answers; what is handed over is sent while the queue is still being told.
 *
 * @throws when Redis is away and the process stops
 */
export async function enqueuePlanned(deps: EnqueueDeps, planned: readonly Planned[]): Promise<void> {
  let rest: PlannedPartition[] = [...Map.groupBy(planned, ({ partition }) => partition)];
  while (rest.length > 0) {
    const chunks = rest.map(([partition, group]) => [partition, group.slice(0, ENQUEUE_MAX)] as const);
    // On a Cluster partitions may be on different servers; else one call costs less than one for each.
    const calls = deps.isCluster ? chunks.map((chunk) => [chunk]) : callsOf(chunks);
    await Promise.all(calls.map((call) => enqueueCall(deps, call)));
    rest = rest.flatMap(([partition, group]) =>
      group.length > ENQUEUE_MAX ? [[partition, group.slice(ENQUEUE_MAX)] as const] : [],
    );
  }
}

/** Several partitions in one call as long as it holds ENQUEUE_MAX deliveries at most. */
function callsOf(chunks: readonly PlannedPartition[]): PlannedPartition[][] {
  const calls: PlannedPartition[][] = [];
  let size = ENQUEUE_MAX;
  for (const chunk of chunks) {
    size += chunk[1].length;
    if (size > ENQUEUE_MAX) {
      calls.push([]);
      size = chunk[1].length;
    }
    calls.at(-1)!.push(chunk);
  }
  return calls;
}

async function enqueueCall(deps: EnqueueDeps, call: readonly PlannedPartition[]): Promise<void> {
  const { engine, runtime, scripts } = deps;
  const chunks = call.map(([partition, planned]) => {
    const token = engine?.token(partition) ?? "";
    return { partition, token, planned: planned.map((one) => asOwned(one, token)) };
  });
  const queued = chunks.map(({ partition, token, planned }) => ({
    partition,
    token,
    deliveries: planned.map((one) => one.queued),
  }));
  const enqueued = enqueueUntilDone(runtime, () => enqueueDeliveries(scripts, queued));
  for (const { partition, planned } of chunks) {
    for (const { handOver } of planned) {
      if (handOver === undefined) continue;
      handOver.delivery.enqueued = enqueued;
      engine!.accept(partition, handOver.lane, handOver.delivery);
    }
  }
  const added = await enqueued;
  for (const [index, { partition, planned }] of chunks.entries())
    if (added[index]! > 0 && planned.some(({ handOver }) => handOver === undefined)) engine?.wake(partition);
}

/** A lane of an earlier lease sends nothing more: what it was to get waits in its queue. */
function asOwned(one: Planned, token: string): Planned {
  if (one.handOver === undefined || one.handOver.lane.owned.token === token) return one;
  one.handOver.lane.held.delete(one.queued.member);
  return { ...one, queued: { ...one.queued, due: "now" }, handOver: undefined };
}

/** The events are in their stream until this has succeeded, whoever owns it then. */
async function enqueueUntilDone<T>(runtime: Runtime, enqueue: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await enqueue();
    } catch (error) {
      runtime.log.warn({ err: error }, "deliveries not enqueued, trying again");
      await Bun.sleep(RETRY_WAIT_MS);
      if (runtime.shutdown.started) throw error;
    }
  }
}
