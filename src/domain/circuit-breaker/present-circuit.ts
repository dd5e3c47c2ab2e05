import type { BreakerSettings } from "./breaker-state.ts";
import { nextCallAtMs } from "./breaker-state.ts";
import type { CircuitSnapshot } from "./circuit-snapshot.ts";
import type { Circuit } from "./schema.ts";

/** A circuit as the API shows it. */
export function presentCircuit(
  circuit: CircuitSnapshot & { probeUntilMs: number | undefined },
  settings: BreakerSettings,
): Circuit {
  const time = (ms: number | undefined): string | null =>
    ms === undefined ? null : new Date(ms).toISOString();
  return {
    integrationId: circuit.integrationId,
    state: circuit.state,
    failureCount: circuit.failureCount,
    successCount: circuit.successCount,
    failureThreshold: settings.failureThreshold,
    successThreshold: settings.successThreshold,
    timeoutSeconds: settings.timeoutMs / 1000,
    lastFailureAt: time(circuit.lastFailureAtMs),
    lastSuccessAt: time(circuit.lastSuccessAtMs),
    openedAt: time(circuit.openedAtMs),
    halfOpenAt: time(circuit.halfOpenAtMs),
    nextCallAt: time(nextCallAtMs(circuit, settings.timeoutMs)),
  };
}
