import type { Runtime } from "../../platform/runtime.ts";
import { CircuitRecorder } from "../circuit-breaker/circuit-recorder.ts";
import { CircuitSettingsCache } from "../circuit-breaker/settings-cache.ts";
import { Admission } from "../rate-limit/admission.ts";
import { UsageCounters } from "../rate-limit/usage-counters.ts";
import { announceCircuit } from "./announce-circuit.ts";

/** What one process needs to let calls out. */
export interface GatewayAdmission {
  admission: Admission;
  circuitSettings: CircuitSettingsCache;
  /** Writes what is still in memory; also done when the process stops. */
  settle(): Promise<void>;
}

const known = new WeakMap<Runtime, Promise<GatewayAdmission>>();

/** The process's one door, with its records behind it; made on first use and closed with the runtime. */
export function gatewayAdmissionOf(runtime: Runtime): Promise<GatewayAdmission> {
  let opening = known.get(runtime);
  if (opening === undefined) {
    opening = open(runtime).catch((error: unknown) => {
      known.delete(runtime);
      throw error;
    });
    known.set(runtime, opening);
  }
  return opening;
}

async function open(runtime: Runtime): Promise<GatewayAdmission> {
  const circuitSettings = new CircuitSettingsCache(runtime);
  await circuitSettings.follow();
  const recorder = new CircuitRecorder(runtime, (tx, transition) =>
    announceCircuit(tx, runtime.config, transition),
  );
  const usage = new UsageCounters(runtime);
  const admission = new Admission(runtime, {
    onCircuit: (scope, circuit) => {
      const { tenantId, integrationId, providerId, environment } = scope;
      recorder.record({ ...circuit, tenantId, integrationId, providerId, environment });
    },
    onAdmitted: (call, hadToWait) => usage.count(call, { calls: 1, isExceeded: hadToWait }),
    onLimited: (call) => usage.count(call, { calls: 0, isExceeded: true }),
  });
  const settle = async (): Promise<void> => {
    await Promise.all([recorder.settled(), usage.flush()]);
  };
  runtime.shutdown.add("gateway admission", settle);
  return { admission, circuitSettings, settle };
}
