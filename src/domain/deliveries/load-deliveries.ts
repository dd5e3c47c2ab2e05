import { eventRefKey } from "../events/store.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { decodeMember, deliveryIdOf, type QueueMember } from "./delivery-id.ts";
import type { Delivery, DeliveryEvent, FinishedDelivery } from "./delivery-work.ts";
import type { EventShelf } from "./event-shelf.ts";
import type { Lane } from "./lane.ts";
import { loadLastAttempts, loadOpenStates, type OpenState } from "./open-delivery-store.ts";

/** A member of a lane's queue that this process has taken. */
export interface TakenMember {
  lane: Lane;
  member: string;
}

/** What became of a taken member: a delivery to send, or what is to be booked because Postgres has decided already. */
export type LoadedMember =
  | { lane: Lane; delivery: Delivery; leaves: undefined }
  | { lane: Lane; delivery: Delivery; leaves: FinishedDelivery["leaves"] };

/** An event's row is written beside its first deliveries; one that is missing for longer was dropped by retention. */
const ROW_WAIT_MS = 60_000;
const MISSING_ROW_RETRY_MS = 1_000;
/** While the event is this young its row is about to be committed. */
const ROW_COMING_MS = 5_000;
const ROW_COMING_RETRY_MS = 20;
/** A retry this far ahead was stored by an owner that died before it was booked. */
const NOT_DUE_MS = 2_000;

/**
 * Reads what Postgres knows of deliveries that were taken from their queues: event, attempts made, and whether they ended
 * already, because an owner may die between writing a result and booking it.
 *
 * @throws when Postgres is away
 */
export async function loadDeliveries(
  runtime: Runtime,
  events: EventShelf,
  taken: readonly TakenMember[],
): Promise<LoadedMember[]> {
  const named = taken.map(({ lane, member }) => {
    const name = decodeMember(member);
    return { lane, member, name, id: deliveryIdOf({ ...name, subscriptionId: lane.subscriptionId }) };
  });
  const refs = named.map(({ lane, name }) => ({
    tenantId: lane.tenantId,
    id: name.eventId,
    createdAtMs: name.eventCreatedAtMs,
  }));
  const sql = runtime.sqlSystem;
  const [bodies, states] = await Promise.all([
    events.load(refs),
    loadOpenStates(
      sql,
      named.map(({ id }) => id),
    ),
  ]);
  const doubtful = named.filter(({ id, name }) => mayHaveEnded(name, states.get(id)));
  const attempts = await loadLastAttempts(
    sql,
    doubtful.map(({ lane, name }) => ({ eventId: name.eventId, subscriptionId: lane.subscriptionId })),
    Math.min(...doubtful.map(({ name }) => name.eventCreatedAtMs)) - ROW_WAIT_MS,
  );
  const nowMs = runtime.clock.nowMs();
  return named.map(({ lane, member, name, id }, index) => {
    const event = bodies.get(eventRefKey(refs[index]!));
    const state = states.get(id);
    const delivery: Delivery = {
      id,
      member,
      subscriptionId: lane.subscriptionId,
      event: event ?? goneEvent(lane.tenantId, name, state?.orderingKey ?? undefined),
      trigger: name.replayId === undefined ? "EVENT" : "REPLAY",
      replayId: name.replayId,
      attempts: state?.attemptCount ?? 0,
      // A row may be written while it is in memory: by a hold, or by a fan-out that believes the subscription paused.
      isOpen: true,
      isOrdered: true,
      enqueued: undefined,
    };
    return { lane, delivery, leaves: decided(event, name.eventCreatedAtMs, state, attempts.get(id), nowMs) };
  });
}

/**
 * Without a row it was never tried, or it ended. A row without an attempt may have been written beside or after its end, by
 * a fan-out elsewhere that believed the subscription paused.
 */
function mayHaveEnded({ replayId }: QueueMember, state: OpenState | undefined): boolean {
  return state === undefined || (state.attemptCount === 0 && replayId === undefined);
}

function decided(
  event: DeliveryEvent | undefined,
  eventCreatedAtMs: number,
  state: OpenState | undefined,
  lastAttempt: "DELIVERED" | "RETRYING" | "FAILED" | undefined,
  nowMs: number,
): FinishedDelivery["leaves"] | undefined {
  if (event === undefined) {
    const ageMs = nowMs - eventCreatedAtMs;
    if (ageMs > ROW_WAIT_MS) return { outcome: "cancelled" };
    return { dueMs: nowMs + (ageMs < ROW_COMING_MS ? ROW_COMING_RETRY_MS : MISSING_ROW_RETRY_MS) };
  }
  if (state?.isCancelled === true) return { outcome: "cancelled" };
  const retryMs = state?.nextRetryAt?.getTime() ?? 0;
  if (retryMs > nowMs + NOT_DUE_MS) return { dueMs: retryMs };
  if (lastAttempt === undefined || lastAttempt === "RETRYING") return undefined;
  return { outcome: lastAttempt === "DELIVERED" ? "delivered" : "failed" };
}

/** Stands for an event without a row; the next delivery of its ordering key waits for the end of this one. */
function goneEvent(
  tenantId: string,
  { eventId, eventCreatedAtMs }: QueueMember,
  orderingKey: string | undefined,
): DeliveryEvent {
  return {
    id: eventId,
    tenantId,
    type: "",
    occurredAtMs: eventCreatedAtMs,
    createdAtMs: eventCreatedAtMs,
    orderingKey,
    correlationId: undefined,
    traceparent: undefined,
    data: "null",
  };
}
