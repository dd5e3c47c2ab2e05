import type { Config } from "../../platform/config.ts";
import type { BreakerSettings } from "./breaker-state.ts";
import type { ThresholdsRow } from "./store.ts";

/** Successful probes that close a circuit (specification, "Circuit Breaker"). */
const SUCCESS_THRESHOLD = 3;

/** The thresholds of a row, and the environment's where it has none. */
export function effectiveSettings(
  config: Pick<Config, "circuitFailureThreshold" | "circuitTimeoutSeconds">,
  row: ThresholdsRow | undefined,
): BreakerSettings {
  return {
    failureThreshold: row?.failureThreshold ?? config.circuitFailureThreshold,
    successThreshold: row?.successThreshold ?? SUCCESS_THRESHOLD,
    timeoutMs: (row?.timeoutSeconds ?? config.circuitTimeoutSeconds) * 1000,
  };
}
