import type { AdmissionCall, Quota } from "../../src/domain/rate-limit/admission-call.ts";
import { Admission } from "../../src/domain/rate-limit/admission.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { createRuntime } from "../../src/platform/runtime.ts";
import { newId } from "../../src/platform/uuid.ts";
import { createLatencyHistogram, encodeLatencies, recordLatency } from "./latency.ts";

/** What one process does, JSON in argv[2]. */
export interface LimiterPlan {
  redisUrl: string;
  integrationIds: string[];
  quotas: Quota[];
  inFlight: number;
  startAtMs: number;
  durationMs: number;
}

/** What it measured. */
export interface LimiterOutput {
  /** Redis' time of each admission, by integration; kept only where it is checked. */
  admittedAtMs: number[];
  admitted: number;
  refused: number;
  /** HdrHistogram of the admissions that did not wait. */
  latencies: string;
  cpuMicros: number;
}

/** Admission times beyond this many are counted only. */
const TIMES_MAX = 200_000;

if (import.meta.main) {
  const plan = JSON.parse(process.argv[2]!) as LimiterPlan;
  const runtime = createRuntime(
    loadConfig({
      REDIS_URL: plan.redisUrl,
      // Never connected to: admission needs Redis alone.
      DATABASE_URL: "postgres://hub@127.0.0.1:1/none",
      INTEGRATION_ENCRYPTION_KEY: `k1:${Buffer.alloc(32, 1).toString("base64")}`,
      LOG_LEVEL: "warn",
    }),
    "edge",
  );
  const nothing = (): void => undefined;
  const admission = new Admission(runtime, { onCircuit: nothing, onAdmitted: nothing, onLimited: nothing });
  const calls = plan.integrationIds.map((integrationId): AdmissionCall => ({
    callId: "",
    tenantId: integrationId,
    integrationId,
    providerId: integrationId,
    environment: "PRODUCTION",
    quotas: plan.quotas,
    circuit: { failureThreshold: 5, successThreshold: 3, timeoutMs: 60_000 },
    priority: "normal",
    deadlineMs: 2_000,
  }));
  await admission.look(calls[0]!, plan.quotas);
  const output: LimiterOutput = { admittedAtMs: [], admitted: 0, refused: 0, latencies: "", cpuMicros: 0 };
  const histogram = createLatencyHistogram();
  await Bun.sleep(plan.startAtMs - Date.now());
  const cpu = process.cpuUsage();
  const untilMs = plan.startAtMs + plan.durationMs;
  const loop = async (first: number): Promise<void> => {
    for (let turn = first; Date.now() < untilMs; turn += plan.inFlight) {
      const startedMs = performance.now();
      const result = await admission.admit({ ...calls[turn % calls.length]!, callId: newId() });
      if (result.kind === "refused") {
        output.refused++;
        await Bun.sleep(Math.min(result.retryAfterMs, 50));
        continue;
      }
      if (result.queuedMs === 0) recordLatency(histogram, performance.now() - startedMs);
      output.admitted++;
      if (output.admittedAtMs.length < TIMES_MAX) output.admittedAtMs.push(result.lease.admittedAtMs);
      await admission.finish(result.lease, { outcome: "success" });
    }
  };
  await Promise.all(Array.from({ length: plan.inFlight }, (_, index) => loop(index)));
  const used = process.cpuUsage(cpu);
  output.cpuMicros = used.user + used.system;
  output.latencies = encodeLatencies(histogram);
  await Bun.write(Bun.stdout, JSON.stringify(output));
  await runtime.shutdown.run();
  process.exit(0);
}
