import type { AdmissionCall } from "../../src/domain/rate-limit/admission-call.ts";
import { Admission } from "../../src/domain/rate-limit/admission.ts";
import { newId } from "../../src/platform/uuid.ts";
import { admissionRuntime, SILENT } from "./admission-fixture.ts";

/** What one process is to do: JSON in argv[2]. It tells when it is ready, and starts with the first line of its input. */
export interface CallerPlan {
  redisUrl: string;
  /** Goes on asking with so many at once until this time is over. */
  load?: { calls: AdmissionCall[]; inFlight: number; durationMs: number };
  /** Asks for these at once; what finds no place asks again after `retryAfterMs`, up to `retryForMs`. */
  burst?: { calls: AdmissionCall[]; retryForMs: number };
  /** LIST to which the time of each admission goes at once, so that it is known also when the process is killed. */
  seenKey?: string;
}

/** One call's way, as the process prints it at its end. */
export interface CallerReport {
  integrationId: string;
  priority: AdmissionCall["priority"];
  /** Undefined when it was refused. */
  admittedAtMs?: number;
  /** Times that it was asked for. */
  asked: number;
  code?: string;
}

if (import.meta.main) {
  const plan = JSON.parse(process.argv[2]!) as CallerPlan;
  const runtime = admissionRuntime(plan.redisUrl);
  const admission = new Admission(runtime, SILENT);
  const reports: CallerReport[] = [];
  // Opens its connections before the start.
  const [first] = plan.load?.calls ?? plan.burst?.calls ?? [];
  await admission.look(first!, first!.quotas);
  process.stdout.write("ready\n");
  await Bun.stdin.stream().getReader().read();
  const startedMs = Date.now();

  const one = async (call: AdmissionCall, untilMs: number): Promise<void> => {
    const { integrationId, priority } = call;
    for (let asked = 1; ; asked++) {
      const result = await admission.admit({ ...call, callId: newId() });
      if (result.kind === "go") {
        if (plan.seenKey !== undefined) await runtime.redis.rpush(plan.seenKey, result.lease.admittedAtMs);
        reports.push({ integrationId, priority, asked, admittedAtMs: result.lease.admittedAtMs });
        await admission.finish(result.lease, { outcome: "success" });
        return;
      }
      if (Date.now() + result.retryAfterMs >= untilMs) {
        reports.push({ integrationId, priority, asked, code: result.code });
        return;
      }
      await Bun.sleep(Math.min(result.retryAfterMs, 200));
    }
  };
  if (plan.load !== undefined) {
    const { calls, inFlight, durationMs } = plan.load;
    const untilMs = startedMs + durationMs;
    const loop = async (call: AdmissionCall): Promise<void> => {
      while (Date.now() < untilMs)
        await one({ ...call, deadlineMs: Math.max(1, untilMs - Date.now()) }, untilMs);
    };
    await Promise.all(calls.flatMap((call) => Array.from({ length: inFlight }, () => loop(call))));
  }
  if (plan.burst !== undefined) {
    const untilMs = startedMs + plan.burst.retryForMs;
    await Promise.all(plan.burst.calls.map((call) => one(call, untilMs)));
  }
  // Bun.write() does not wait until a slow reader has taken all.
  await new Promise<void>((resolve) => {
    process.stdout.write(`${JSON.stringify(reports)}\n`, () => resolve());
  });
  await runtime.shutdown.run();
  process.exit(0);
}
