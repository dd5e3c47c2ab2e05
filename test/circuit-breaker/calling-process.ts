import { outcomeOf } from "../../src/domain/circuit-breaker/breaker-state.ts";
import { gatewayAdmissionOf } from "../../src/domain/gateway/gateway-admission.ts";
import type { AdmissionScope } from "../../src/domain/rate-limit/admission-call.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { createRuntime } from "../../src/platform/runtime.ts";
import { newId } from "../../src/platform/uuid.ts";

/**
 * A process that calls the provider at argv[3] for the integration in argv[2] (JSON) for ever, as the circuit lets it; it
 * tells the provider its own process id.
 */
const scope = JSON.parse(process.argv[2]!) as AdmissionScope;
const providerUrl = process.argv[3]!;
const runtime = createRuntime(loadConfig(), "edge");
const { admission, circuitSettings } = await gatewayAdmissionOf(runtime);
const quotas = [
  { name: "calls", limit: 100_000, windowMs: 60_000, weight: 1, scope: "integration" as const },
];

for (;;) {
  const result = await admission.admit({
    ...scope,
    callId: newId(),
    quotas,
    circuit: await circuitSettings.get(scope.integrationId),
    priority: "normal",
    deadlineMs: 30_000,
  });
  if (result.kind === "go") {
    const answer = await fetch(providerUrl, { headers: { "x-pid": String(process.pid) } }).then(
      ({ status }) => ({ status }),
      () => ({ error: "connection" }) as const,
    );
    await admission.finish(result.lease, { outcome: outcomeOf(answer) });
  }
  await Bun.sleep(10);
}
