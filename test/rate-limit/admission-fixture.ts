import type { AdmissionCall, Admitted, Refused } from "../../src/domain/rate-limit/admission-call.ts";
import { Admission, type AdmissionListener } from "../../src/domain/rate-limit/admission.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { createRuntime, type Runtime } from "../../src/platform/runtime.ts";
import { newId } from "../../src/platform/uuid.ts";
import { startTestRedis, type TestRedis } from "../support/services.ts";

/** A Redis and one process's door to outside systems. */
export interface AdmissionFixture {
  redis: TestRedis;
  runtime: Runtime;
  admission: Admission;
  heard: { circuits: number; waited: number; limited: number };
  stop(): Promise<void>;
}

export function admissionRuntime(redisUrl: string, env: Record<string, string> = {}): Runtime {
  const nowhere = "postgres://hub@127.0.0.1:1/none";
  return createRuntime(
    loadConfig({
      DATABASE_URL: nowhere,
      REDIS_URL: redisUrl,
      INTEGRATION_ENCRYPTION_KEY: `k1:${Buffer.alloc(32, 7).toString("base64")}`,
      LOG_LEVEL: process.env["TEST_LOG_LEVEL"] ?? "silent",
      ...env,
    }),
    "edge",
  );
}

export const SILENT: AdmissionListener = {
  onCircuit: () => undefined,
  onAdmitted: () => undefined,
  onLimited: () => undefined,
};

export async function startAdmission(env: Record<string, string> = {}): Promise<AdmissionFixture> {
  const redis = await startTestRedis();
  const runtime = admissionRuntime(redis.url, env);
  const heard = { circuits: 0, waited: 0, limited: 0 };
  const admission = new Admission(runtime, {
    onCircuit: () => void heard.circuits++,
    onAdmitted: (_call, hadToWait) => void (heard.waited += Number(hadToWait)),
    onLimited: () => void heard.limited++,
  });
  return {
    redis,
    runtime,
    admission,
    heard,
    async stop() {
      await runtime.shutdown.run();
      await redis.stop();
    },
  };
}

/** A call of an integration of its own, limited to 10 a second, unless `more` says otherwise. */
export function callOf(more: Partial<AdmissionCall> = {}): AdmissionCall {
  return {
    callId: newId(),
    tenantId: newId(),
    integrationId: newId(),
    providerId: newId(),
    environment: "PRODUCTION",
    quotas: [quotaOf()],
    circuit: { failureThreshold: 5, successThreshold: 3, timeoutMs: 60_000 },
    priority: "normal",
    deadlineMs: 30_000,
    ...more,
  };
}

/** Another call of the same integration. */
export function another(call: AdmissionCall, more: Partial<AdmissionCall> = {}): AdmissionCall {
  return { ...call, callId: newId(), ...more };
}

export function quotaOf(
  more: Partial<AdmissionCall["quotas"][number]> = {},
): AdmissionCall["quotas"][number] {
  return { name: "calls", limit: 10, windowMs: 1000, weight: 1, scope: "integration", ...more };
}

/** @throws when it was refused */
export function admitted(result: Admitted | Refused): Admitted {
  if (result.kind !== "go") throw new Error(`refused: ${result.code}`);
  return result;
}

/** Fullest window of these times, each window being closed at its beginning and open at its end. */
export function fullestWindow(timesMs: readonly number[], windowMs: number): number {
  const sorted = timesMs.toSorted((a, b) => a - b);
  let first = 0;
  let most = 0;
  for (let last = 0; last < sorted.length; last++) {
    while (sorted[last]! - sorted[first]! >= windowMs) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
