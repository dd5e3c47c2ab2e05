import type { CallWindow, HealthState, IntegrationHealthSummary, QuotaUse } from "./health-schema.ts";
import type { CircuitRow, WindowRow } from "./health-store.ts";
import type { IntegrationRow } from "./store.ts";

/** Share of good calls below which an integration counts as degraded, and how many calls that takes. */
const SUCCESS_RATE_MIN = 0.95;
const CALLS_MIN = 5;

/** One word for how an integration is. */
export function judgeHealth(
  row: Pick<IntegrationRow, "status">,
  seen: { circuit: CircuitRow | undefined; quotas: readonly QuotaUse[]; last5Minutes: CallWindow },
): HealthState {
  if (row.status === "PAUSED") return "paused";
  if (row.status === "PENDING_AUTH") return "pending_auth";
  if (row.status === "ERROR" || seen.circuit?.state === "OPEN") return "failing";
  const { calls, successRate } = seen.last5Minutes;
  const isLossy = calls >= CALLS_MIN && successRate !== null && successRate < SUCCESS_RATE_MIN;
  const isUsedUp = seen.quotas.some(({ remaining }) => remaining === 0);
  return isLossy || isUsedUp || seen.circuit?.state === "HALF_OPEN" ? "degraded" : "healthy";
}

/** A window as the API shows it; without calls it is empty. */
export function presentWindow(row: WindowRow | undefined, callsMax: number): CallWindow {
  if (row === undefined) {
    const none = { averageMs: null, p50Ms: null, p95Ms: null, p99Ms: null };
    return { calls: 0, successes: 0, successRate: null, ...none, isSample: false };
  }
  const { calls, successes, averageMs, p50Ms, p95Ms, p99Ms } = row;
  return {
    calls,
    successes,
    successRate: calls === 0 ? null : successes / calls,
    averageMs,
    p50Ms,
    p95Ms,
    p99Ms,
    isSample: calls >= callsMax,
  };
}

/** What the list of all and the page of one show alike. */
export function presentSummary(
  row: IntegrationRow,
  seen: { circuit: CircuitRow | undefined; quotas: readonly QuotaUse[]; last5Minutes: CallWindow },
): Omit<IntegrationHealthSummary, "last5Minutes"> {
  const { circuit } = seen;
  const opened = circuit?.state === "OPEN" ? circuit.openedAt : null;
  return {
    integrationId: row.id,
    name: row.name,
    providerCode: row.providerCode,
    environment: row.environment,
    status: row.status,
    isEnabled: row.status === "ACTIVE",
    health: judgeHealth(row, seen),
    circuit: {
      state: circuit?.state ?? "CLOSED",
      failureCount: circuit?.failureCount ?? 0,
      openedAt: circuit?.openedAt?.toISOString() ?? null,
      nextProbeAt:
        opened === null ? null : new Date(opened.getTime() + circuit!.timeoutSeconds * 1_000).toISOString(),
    },
    lastSuccessfulCall: row.lastSuccessfulCall?.toISOString() ?? null,
    lastError: row.lastError,
    lastErrorAt: row.lastErrorAt?.toISOString() ?? null,
    errorCount: row.errorCount,
    lastTestAt: row.lastTestAt?.toISOString() ?? null,
    tokenExpiresAt: row.oauthExpiresAt?.toISOString() ?? null,
  };
}
