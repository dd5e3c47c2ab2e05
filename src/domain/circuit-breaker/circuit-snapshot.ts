import type { Breaker } from "./breaker-state.ts";

/** Whose circuit it is. */
export interface CircuitScope {
  tenantId: string;
  integrationId: string;
  providerId: string;
  environment: string;
}

/** A circuit as Redis had it at `changedAtMs` or later; times in ms of Redis' clock. */
export interface CircuitSnapshot extends CircuitScope, Omit<Breaker, "probeUntilMs"> {
  halfOpenAtMs: number | undefined;
  lastFailureAtMs: number | undefined;
  lastSuccessAtMs: number | undefined;
  /** When the state was entered; grows with each change. */
  changedAtMs: number;
}

/** A circuit that opened or closed. Half-open and open again after a failed probe are neither. */
export interface CircuitTransition {
  kind: "opened" | "closed";
  circuit: CircuitSnapshot;
}
