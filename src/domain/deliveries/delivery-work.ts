import type { Lease } from "../../platform/lease.ts";
import type { NextState } from "./next-state.ts";

/** What deliveries need of an event; shared by all deliveries of it that this process holds. */
export interface DeliveryEvent {
  id: string;
  tenantId: string;
  type: string;
  occurredAtMs: number;
  /** `created_at` of its row. */
  createdAtMs: number;
  orderingKey: string | undefined;
  correlationId: string | undefined;
  traceparent: string | undefined;
  /** JSON text. */
  data: string;
  /** The standard payload, made by the first delivery that needs it. */
  payload?: Uint8Array;
}

/** A partition of deliveries while this process owns it. */
export interface OwnedPartition {
  partition: number;
  lease: Lease;
  /** Token of the lease, as the scripts take it. */
  token: string;
}

export type DeliveryTrigger = "EVENT" | "REPLAY" | "TEST";

/** One delivery in this process's memory. */
export interface Delivery {
  id: string;
  /** Its name in the queue. */
  member: string;
  subscriptionId: string;
  event: DeliveryEvent;
  trigger: DeliveryTrigger;
  replayId: string | undefined;
  /** Attempts made before. */
  attempts: number;
  /** True when a row of open_deliveries stands for it. */
  isOpen: boolean;
  /** Its place in an order list, if it has one. */
  isOrdered: boolean;
  /** Settles when the queue has it; undefined when it came from there. */
  enqueued: Promise<unknown> | undefined;
}

/** One row of webhook_deliveries, as far as the attempt itself knows it. */
export interface AttemptFacts {
  /** UUIDv7; its time is `created_at`. */
  id: string;
  url: string;
  /** JSON text, secrets blanked. */
  requestHeaders: string;
  /** Body that differs from the standard payload; null: the payload of the event. */
  requestBody: string | null;
  responseStatus: number | null;
  /** JSON text. */
  responseHeaders: string | null;
  responseBody: Uint8Array | null;
  responseTimeMs: number | null;
  errorCode: string | null;
  errorMessage: string | null;
}

/** An attempt that was made, with what follows from it. */
export interface MadeAttempt {
  facts: AttemptFacts;
  next: NextState;
  /** Set when the receiver said that it is gone: the subscription is disabled at once. */
  gone: boolean;
}

/** What is to be written and booked of one delivery that this process held. */
export interface FinishedDelivery {
  owned: OwnedPartition;
  tenantId: string;
  delivery: Delivery;
  /** Undefined when nothing was sent. */
  attempt: MadeAttempt | undefined;
  /** How it leaves this process: ended by an outcome, or back to its queue until a time. */
  leaves: { outcome: "delivered" | "failed" | "cancelled" } | { dueMs: number | "now" };
  /** True while failures of the subscription may stand in its row, so that a success has to clear them. */
  mayClearFailures: boolean;
}
