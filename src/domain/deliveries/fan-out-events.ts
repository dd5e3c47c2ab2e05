import { partitionOf } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { UnmatchableEvent } from "../subscriptions/event-filter.ts";
import type { SubscriptionCache, SubscriptionEntry } from "../subscriptions/subscription-cache.ts";
import { EDI_DOCUMENT } from "../edi/edi-events.ts";
import type { EventMessage } from "../events/topics.ts";
import { deliveryIdOf, encodeMember } from "./delivery-id.ts";
import type { Delivery, DeliveryEvent, OwnedPartition } from "./delivery-work.ts";
import type { QueuedDelivery } from "./enqueue-deliveries.ts";
import { type EnqueueDeps, enqueuePlanned, type Planned } from "./enqueue-planned.ts";
import { loadProgress, noteProgress } from "./fan-out-store.ts";
import type { EventFinisher } from "./finish-events.ts";
import { loadLastAttempts, type OpenDelivery, writeOpenDeliveries } from "./open-delivery-store.ts";

/** One event as it was read from its stream. */
export interface ReadEvent {
  owned: OwnedPartition;
  entryId: string;
  message: EventMessage;
  /** JSON text; undefined when it is lost. */
  data: string | undefined;
  /** The entry carries no data: it lies in Postgres. */
  isLarge: boolean;
  /** An earlier owner may have fanned it out already. */
  isSuspect: boolean;
}

export interface FanOutDeps extends EnqueueDeps {
  subscriptions: SubscriptionCache;
  finisher: EventFinisher;
}

/** Subscriptions of one chunk; an event with more is fanned out in steps whose progress is stored. */
export const CHUNK_SUBSCRIPTIONS = 2_000;
const RETRY_WAIT_MS = 250;
/** Rows of attempts that an earlier fan-out led to are not older than its event. */
const CLOCK_SKEW_MS = 60_000;

/** Events by how many subscriptions they have: many small ones go together, large ones each by itself. */
export interface Matched {
  event: ReadEvent & { data: string };
  entries: readonly SubscriptionEntry[];
}

/**
 * Finds the subscriptions of each event. An event whose data is lost or cannot be read, or at which a filter fails, ends
 * as a dead letter with its cause; the others go on.
 *
 * @throws when Postgres is away and nothing is known of a tenant
 */
export async function matchEvents(deps: FanOutDeps, events: readonly ReadEvent[]): Promise<Matched[]> {
  const matched: Matched[] = [];
  for (const event of events) {
    const { data } = event;
    try {
      if (data === undefined) throw new UnmatchableEvent("its data is lost: it is in no table any more");
      const found = findSubscriptions(deps, event.message, data);
      const entries = found instanceof Promise ? await found : found;
      matched.push({ event: { ...event, data }, entries });
    } catch (error) {
      if (!(error instanceof UnmatchableEvent)) throw error;
      bury(deps, event, error);
    }
  }
  return matched;
}

function findSubscriptions(
  { subscriptions }: FanOutDeps,
  { id, tenantId, type, orderingKey }: EventMessage,
  data: string,
): readonly SubscriptionEntry[] | Promise<readonly SubscriptionEntry[]> {
  let parsed: { value: unknown } | undefined;
  const value = (): unknown => (parsed ??= { value: JSON.parse(data) as unknown }).value;
  const found = subscriptions.matching(tenantId, { id, type, orderingKey, data: value });
  if (type !== EDI_DOCUMENT) return found;
  // A partner's settings may name the one subscription that reaches it.
  const facts = value() as { subscriptionId?: unknown } | null;
  const subscriptionId = facts?.subscriptionId ?? null;
  if (subscriptionId === null) return found;
  const only = (entries: readonly SubscriptionEntry[]) =>
    entries.filter((entry) => entry.id === subscriptionId);
  return found instanceof Promise ? found.then(only) : only(found);
}

function bury({ runtime, finisher }: FanOutDeps, event: ReadEvent, cause: UnmatchableEvent): void {
  const { owned, entryId, message, data, isLarge } = event;
  runtime.log.error({ err: cause, eventId: message.id, tenantId: message.tenantId }, "event is dead");
  finisher.add({
    owned,
    entryId,
    message,
    data: isLarge ? undefined : data,
    outcome: "dead",
    death: { reasonCode: "event_unreadable", reason: cause.message },
    isStored: false,
    matched: 0,
  });
}

/**
 * Puts the deliveries of events into their subscriptions' queues and hands those over that this process sends itself; the
 * events' rows are written beside it. Repeated, it adds nothing: what is live is left alone, and of events that an
 * earlier owner may have fanned out, what was attempted is left out.
 *
 * @throws when the lease is lost meanwhile
 */
export async function fanOut(deps: FanOutDeps, matched: readonly Matched[]): Promise<void> {
  const attempted = await attemptedOf(deps, matched);
  await showHeld(deps, matched, attempted);
  const planned = matched.flatMap((one) => plan(deps, one, one.entries, attempted));
  await enqueuePlanned(deps, planned);
  for (const { event, entries } of matched) {
    const { owned, entryId, message, data, isLarge } = event;
    deps.finisher.add({
      owned,
      entryId,
      message,
      data: isLarge ? undefined : data,
      outcome: entries.length > 0 ? "processed" : "filtered",
      isStored: false,
      matched: entries.length,
    });
  }
}

/**
 * Fans an event out to very many subscriptions, in chunks in the order of their ids; the progress of each is stored, so
 * that the next owner goes on where this one stopped.
 */
export async function fanOutLarge(deps: FanOutDeps, { event, entries }: Matched): Promise<void> {
  const { runtime, finisher } = deps;
  const { owned, entryId, message, data, isLarge } = event;
  const sorted = entries.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const name = { tenantId: message.tenantId, id: message.id, createdAtMs: message.acceptedAt };
  await untilDone(owned, runtime, () => finisher.store(message, isLarge ? undefined : data));
  const progress = event.isSuspect
    ? await untilDone(owned, runtime, () => loadProgress(runtime.sqlSystem, message))
    : undefined;
  const cursor = progress?.cursor;
  let start = cursor === undefined ? 0 : cursor === null ? -1 : sorted.findIndex(({ id }) => id > cursor);
  // Complete, or all that is left unsubscribed meanwhile.
  if (start < 0) start = sorted.length;
  while (start < sorted.length) {
    const chunk = sorted.slice(start, start + CHUNK_SUBSCRIPTIONS);
    start += chunk.length;
    const attempted = await attemptedOf(deps, [{ event, entries: chunk }]);
    const part: Matched = { event, entries: chunk };
    await showHeld(deps, [part], attempted);
    await enqueuePlanned(deps, plan(deps, part, chunk, attempted));
    const reached = start < sorted.length ? chunk.at(-1)!.id : null;
    await untilDone(owned, runtime, () =>
      noteProgress(runtime.sqlSystem, [{ ...name, matched: start, cursor: reached }]),
    );
  }
  finisher.add({
    owned,
    entryId,
    message,
    data: undefined,
    outcome: "processed",
    isStored: true,
    matched: sorted.length,
  });
}

/** Repeats what needs Postgres or Redis for as long as the partition is this process's. */
async function untilDone<T>(owned: OwnedPartition, runtime: Runtime, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!owned.lease.isHeld()) throw error;
      runtime.log.warn({ err: error, partition: owned.partition }, "fan-out waits");
      await Bun.sleep(RETRY_WAIT_MS);
    }
  }
}

/**
 * Ids of deliveries that an earlier fan-out of these events led to and that have ended. One that waits for its retry is
 * enqueued again: its attempt may have been stored before its queue had it.
 */
async function attemptedOf(deps: FanOutDeps, matched: readonly Matched[]): Promise<ReadonlySet<string>> {
  const suspects = matched.filter(({ event }) => event.isSuspect);
  if (suspects.length === 0) return new Set();
  const names = suspects.flatMap(({ event, entries }) =>
    entries.map(({ id }) => ({ eventId: event.message.id, subscriptionId: id })),
  );
  const sinceMs = Math.min(...suspects.map(({ event }) => event.message.acceptedAt)) - CLOCK_SKEW_MS;
  const { owned } = suspects[0]!.event;
  const attempts = await untilDone(owned, deps.runtime, () =>
    loadLastAttempts(deps.runtime.sqlSystem, names, sinceMs),
  );
  return new Set([...attempts].filter(([, status]) => status !== "RETRYING").map(([id]) => id));
}

/**
 * Writes the rows of deliveries for paused and disabled subscriptions, before their queues have them: a row that came later
 * than the end of its delivery would stay.
 */
async function showHeld(
  deps: FanOutDeps,
  matched: readonly Matched[],
  attempted: ReadonlySet<string>,
): Promise<void> {
  const rows = matched.flatMap(({ event, entries }) =>
    entries.filter(({ status }) => status !== "ACTIVE").map((entry) => heldRow(event, entry)),
  );
  const held = rows.filter(({ id }) => !attempted.has(id));
  if (held.length === 0) return;
  const { owned } = matched[0]!.event;
  await untilDone(owned, deps.runtime, () => writeOpenDeliveries(deps.runtime.sqlSystem, held));
}

function plan(
  deps: FanOutDeps,
  { event }: Matched,
  entries: readonly SubscriptionEntry[],
  attempted: ReadonlySet<string>,
): Planned[] {
  const { message } = event;
  const { streamPartitions } = deps.runtime.config;
  const member = encodeMember({ eventId: message.id, eventCreatedAtMs: message.acceptedAt });
  const shared = deliveryEvent(event);
  const planned: Planned[] = [];
  for (const entry of entries) {
    const id = event.isSuspect || deps.engine !== undefined ? deliveryId(message, entry) : "";
    if (attempted.has(id)) continue;
    const partition = partitionOf(entry.id, streamPartitions);
    const isActive = entry.status === "ACTIVE";
    const isOrdered = entry.orderingMode === "KEY" && message.orderingKey !== undefined;
    const isNew = isActive && !isOrdered && !event.isSuspect;
    const lane = isNew ? deps.engine?.laneOf(partition, entry.id, entry.tenantId) : undefined;
    const sends = lane !== undefined && !lane.held.has(member);
    const delivery = sends ? firstDelivery(id, member, entry, shared) : undefined;
    const isHandedOver = sends && deps.engine!.hasRoom(lane);
    const queued: QueuedDelivery = {
      subscriptionId: entry.id,
      tenantId: entry.tenantId,
      isActive,
      member,
      due: isHandedOver ? "taken" : "now",
      orderingKey: isOrdered ? message.orderingKey : undefined,
    };
    if (isHandedOver) {
      // Counted now, so that the next event of the batch sees the room that is left.
      lane.held.add(member);
      planned.push({ queued, partition, handOver: { lane, delivery: delivery! } });
    } else {
      if (delivery !== undefined) deps.engine!.keepFresh(lane!, delivery);
      planned.push({ queued, partition, handOver: undefined });
    }
  }
  return planned;
}

function firstDelivery(
  id: string,
  member: string,
  { id: subscriptionId }: SubscriptionEntry,
  event: DeliveryEvent,
): Delivery {
  return {
    id,
    member,
    subscriptionId,
    event,
    trigger: "EVENT",
    replayId: undefined,
    attempts: 0,
    isOpen: false,
    isOrdered: false,
    enqueued: undefined,
  };
}

function deliveryId(message: EventMessage, entry: SubscriptionEntry): string {
  return deliveryIdOf({ eventId: message.id, subscriptionId: entry.id });
}

function deliveryEvent({ message, data }: Matched["event"]): DeliveryEvent {
  return {
    id: message.id,
    tenantId: message.tenantId,
    type: message.type,
    occurredAtMs: message.occurredAt,
    createdAtMs: message.acceptedAt,
    orderingKey: message.orderingKey,
    correlationId: message.correlationId,
    traceparent: message.traceparent,
    data,
  };
}

function heldRow({ message }: ReadEvent, entry: SubscriptionEntry): OpenDelivery {
  return {
    id: deliveryId(message, entry),
    tenantId: entry.tenantId,
    subscriptionId: entry.id,
    eventId: message.id,
    eventCreatedAtMs: message.acceptedAt,
    eventType: message.type,
    orderingKey: message.orderingKey ?? null,
    replayId: null,
    attemptCount: 0,
    status: "HELD",
    nextRetryAtMs: null,
    errorCode: null,
    errorMessage: null,
  };
}
