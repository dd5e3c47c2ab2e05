import type { TransformTemplate } from "../transformations/schema.ts";
import type { SubscriptionAuth } from "./auth-config.ts";
import type { EventFilter } from "./event-filter.ts";
import type { SignatureForm } from "./signature-form.ts";

export type SubscriptionState = "ACTIVE" | "PAUSED" | "FAILED";
export type OrderingMode = "NONE" | "KEY";

/** What fan-out needs of a subscription: small, because a tenant may have 100,000 of them in every worker's memory. */
export interface SubscriptionEntry {
  id: string;
  tenantId: string;
  status: SubscriptionState;
  orderingMode: OrderingMode;
  /** Patterns, dotted and lower case. */
  eventTypes: readonly string[];
  filter: EventFilter | undefined;
  /** Raised by every change of the settings: milliseconds since the epoch. */
  version: number;
}

/** A subscription ready for deliveries, its secrets open in memory. */
export interface CompiledSubscription extends SubscriptionEntry {
  url: string;
  contentType: string;
  /** Custom headers, names in lower case. */
  headers: Readonly<Record<string, string>>;
  template: TransformTemplate | undefined;
  auth: SubscriptionAuth;
  /** Every signing secret that counts now, the newest first. */
  secrets: readonly string[];
  signatureForm: SignatureForm;
  retryEnabled: boolean;
  maxRetries: number;
  /** Seconds; the last one repeats. */
  retryIntervalsSeconds: readonly number[];
  rateLimit: { limit: number; windowSeconds: number; burst?: number } | undefined;
  concurrencyMax: number | undefined;
  /** The last attempt that its row tells of succeeded. */
  hasAnswered: boolean;
}
