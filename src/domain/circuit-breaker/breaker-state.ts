/** When a circuit opens, closes, and how long it stays open. */
export interface BreakerSettings {
  /** Consecutive failures that open it. */
  failureThreshold: number;
  /** Successful probes that close it. */
  successThreshold: number;
  timeoutMs: number;
}

/** How a call ended, seen from the provider; `none` says nothing of it. */
export type Outcome = "success" | "failure" | "none";

/** One circuit. Redis holds it and moves it by the same rules; see `rate-limit/finish.lua`. */
export interface Breaker {
  state: "CLOSED" | "OPEN" | "HALF_OPEN";
  failureCount: number;
  successCount: number;
  openedAtMs: number | undefined;
  /** End of the lease of the probe that is under way. */
  probeUntilMs: number | undefined;
}

export const CLOSED_BREAKER: Breaker = {
  state: "CLOSED",
  failureCount: 0,
  successCount: 0,
  openedAtMs: undefined,
  probeUntilMs: undefined,
};

/** When the next call may go: undefined while every call may. A probe under way is waited for. */
export function nextCallAtMs(
  breaker: Pick<Breaker, "state" | "openedAtMs" | "probeUntilMs">,
  timeoutMs: number,
): number | undefined {
  if (breaker.state === "CLOSED") return undefined;
  if (breaker.state === "OPEN") return (breaker.openedAtMs ?? 0) + timeoutMs;
  return breaker.probeUntilMs;
}

/**
 * The circuit after a call asked to go, and whether it may (specification, "Circuit Breaker").
 *
 * @param leaseMs for which a probe counts as under way
 */
export function afterAsking(
  breaker: Breaker,
  settings: BreakerSettings,
  nowMs: number,
  leaseMs: number,
): { breaker: Breaker; verdict: "go" | "probe" | "refused" } {
  if (breaker.state === "CLOSED") return { breaker, verdict: "go" };
  const next = nextCallAtMs(breaker, settings.timeoutMs);
  if (next !== undefined && nowMs < next) return { breaker, verdict: "refused" };
  const successCount = breaker.state === "OPEN" ? 0 : breaker.successCount;
  return {
    breaker: { ...breaker, state: "HALF_OPEN", successCount, probeUntilMs: nowMs + leaseMs },
    verdict: "probe",
  };
}

/**
 * The circuit after a call ended.
 *
 * @param isProbe it is the probe under way; in half-open only that one counts
 */
export function afterCall(
  breaker: Breaker,
  settings: BreakerSettings,
  call: { outcome: Outcome; isProbe: boolean },
  nowMs: number,
): Breaker {
  const { outcome, isProbe } = call;
  if (breaker.state === "CLOSED") {
    if (outcome === "success") return { ...breaker, failureCount: 0 };
    if (outcome === "none") return breaker;
    const failureCount = breaker.failureCount + 1;
    return failureCount >= settings.failureThreshold
      ? { ...breaker, failureCount, state: "OPEN", openedAtMs: nowMs }
      : { ...breaker, failureCount };
  }
  if (breaker.state === "OPEN" || !isProbe) return breaker;
  const ended = { ...breaker, probeUntilMs: undefined };
  if (outcome === "none") return ended;
  if (outcome === "failure") {
    return {
      ...ended,
      state: "OPEN",
      failureCount: breaker.failureCount + 1,
      successCount: 0,
      openedAtMs: nowMs,
    };
  }
  const successCount = breaker.successCount + 1;
  return successCount >= settings.successThreshold
    ? { ...ended, state: "CLOSED", failureCount: 0, successCount }
    : { ...ended, successCount };
}

/** What came of a call: a status, or the reason why there is none. */
export type CallEnd = { status: number } | { error: "timeout" | "connection" | "cancelled" | "unsent" };

/**
 * What a call says of its provider: 5xx, timeouts and connections that fail or break are failures; any other answer,
 * 429 too, shows that it works; what the caller cancelled or never went out says nothing.
 */
export function outcomeOf(end: CallEnd): Outcome {
  if ("status" in end) return end.status >= 500 ? "failure" : "success";
  return end.error === "cancelled" || end.error === "unsent" ? "none" : "failure";
}
