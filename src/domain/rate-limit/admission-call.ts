import type { Config } from "../../platform/config.ts";

/** Most calls (or weight) in any window. */
export interface Quota {
  /** Name in the provider's manifest; no colon. */
  name: string;
  limit: number;
  windowMs: number;
  /** Units that this call takes; 0 when it does not count here. */
  weight: number;
  /** `provider`: all tenants of the provider share it in one environment; the others belong to the integration. */
  scope: "integration" | "provider" | "token";
}

/** High goes before everything that waits; low is served at least every twentieth time. */
export type Priority = "high" | "normal" | "low";

/** When a circuit opens and closes. */
export interface CircuitSettings {
  /** Consecutive failures that open it. */
  failureThreshold: number;
  /** Successful probes that close it. */
  successThreshold: number;
  /** Time from opening to the first probe. */
  timeoutMs: number;
}

/** Whose limits and circuit a call meets. */
export interface AdmissionScope {
  tenantId: string;
  integrationId: string;
  /** Id of the provider's row, which tells a tenant's own provider from a built-in one of the same code. */
  providerId: string;
  environment: string;
  /** Its calls to the provider's fallback server have a circuit and counts of their own. */
  route?: "fallback" | undefined;
}

/** One call that wants to go out. */
export interface AdmissionCall extends AdmissionScope {
  /** Unique for each try. */
  callId: string;
  /** At least one; see `quotasOrDefault`. */
  quotas: readonly Quota[];
  /** Most calls of the integration under way at once. */
  concurrency?: number | undefined;
  /** Most calls of all tenants of the provider under way at once. */
  sharedConcurrency?: number | undefined;
  circuit: CircuitSettings;
  priority: Priority;
  /** Time that the call has left, from now. */
  deadlineMs: number;
  /** Longest wait in the queue; min(10 s, `deadlineMs`) when left out. */
  queueTimeoutMs?: number | undefined;
}

/** A circuit as Redis has it. */
export interface CircuitReading {
  state: "CLOSED" | "OPEN" | "HALF_OPEN";
  /** Consecutive ones. */
  failureCount: number;
  /** Of probes since it is half-open. */
  successCount: number;
  /** Times in ms of Redis' clock; undefined: never. */
  openedAtMs: number | undefined;
  halfOpenAtMs: number | undefined;
  lastFailureAtMs: number | undefined;
  lastSuccessAtMs: number | undefined;
  /** When the state was entered; grows with each change. */
  changedAtMs: number;
}

/** Calls that a process may let out by itself; times in ms of Redis' clock. */
export interface AdmissionBlock {
  calls: number;
  givenAtMs: number;
  /** Until then they may go, and at that time all of them are counted. */
  endsAtMs: number;
  circuit: CircuitReading;
  /** Units of each quota: free, and ever taken, before the first of them. */
  free: readonly number[];
  taken: readonly number[];
}

/** What a call holds from its admission to its end. */
export interface AdmissionLease {
  call: AdmissionCall;
  /** In ms of Redis' clock. */
  admittedAtMs: number;
  /** When its units are counted: at its admission, or at the end of the block that admitted it. */
  countedAtMs: number;
  /** By which it was admitted, as long as Redis does not know that it is under way. */
  block?: AdmissionBlock | undefined;
  /** Units ever taken of each quota, this call's included: what an answer can know of. */
  takenUnits: readonly number[];
}

export interface Admitted {
  kind: "go";
  lease: AdmissionLease;
  /** Units left after this call, by quota. */
  remaining: Readonly<Record<string, number>>;
  circuit: CircuitReading;
  /** It finds out whether the provider works again. */
  isProbe: boolean;
  queuedMs: number;
}

export type RefusalCode = "circuit_open" | "queue_full" | "queue_timeout" | "rate_limited";

export interface Refused {
  kind: "refused";
  code: RefusalCode;
  /** A try before this time will be refused too. */
  retryAfterMs: number;
  circuit: CircuitReading;
  queuedMs: number;
}

/** What an answer's headers said of one quota. */
export interface QuotaReport {
  quota: string;
  limit?: number | undefined;
  remaining?: number | undefined;
  /** When `remaining` is renewed, in ms of this process's clock. */
  resetAtMs?: number | undefined;
}

/** How an admitted call ended. */
export interface CallResult {
  /** `none` tells nothing of the provider: cancelled by the caller, or never sent. */
  outcome: "success" | "failure" | "none";
  /** False when nothing went out: its units are given back. */
  isSent?: boolean;
  /** The provider wants no call for this time (Retry-After of a 429 or 503). */
  retryAfterMs?: number | undefined;
  reports?: readonly QuotaReport[];
}

/** The quotas of a manifest; without any, DEFAULT_RATE_LIMIT calls per RATE_LIMIT_WINDOW_SECONDS. */
export function quotasOrDefault(
  config: Pick<Config, "defaultRateLimit" | "rateLimitWindowSeconds">,
  declared: readonly Quota[],
): readonly Quota[] {
  if (declared.length > 0) return declared;
  const windowMs = config.rateLimitWindowSeconds * 1000;
  return [{ name: "default", limit: config.defaultRateLimit, windowMs, weight: 1, scope: "integration" }];
}
