import type { LoadEndpoint } from "./load-endpoint.ts";
import { loadStatusBody, signerOf } from "./sign-webhook.ts";

/** What autocannon saw. */
export interface ClosedLoopReport {
  sent: number;
  answered2xx: number;
  not2xx: number;
  errors: number;
  timeouts: number;
  achievedPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

export interface ClosedLoopPlan {
  baseUrl: string;
  endpoint: LoadEndpoint;
  connections: number;
  seconds: number;
  bodyBytes: number;
  timeoutMs: number;
}

/** The part of autocannon's interface that is used here; the package brings no types. */
interface Autocannon {
  (options: {
    url: string;
    connections: number;
    duration: number;
    timeout: number;
    requests: { method: "POST"; path: string; setupRequest(request: AutocannonRequest): AutocannonRequest }[];
  }): Promise<AutocannonResult>;
}

interface AutocannonRequest {
  headers: Record<string, string>;
  body?: string;
}

interface AutocannonResult {
  "2xx": number;
  non2xx: number;
  errors: number;
  timeouts: number;
  duration: number;
  requests: { total: number };
  latency: { p50: number; p99: number; max: number };
}

/**
 * Sends from each connection as soon as it is answered, by autocannon, with distinct signed bodies. No rate is
 * given to it: with one it would "correct" latencies by samples of its own, seconds mistaken for milliseconds.
 */
export async function runClosedLoop(plan: ClosedLoopPlan): Promise<ClosedLoopReport> {
  const module = (await import("autocannon" as string)) as { default: Autocannon };
  const sign = signerOf(plan.endpoint);
  const runId = crypto.randomUUID().slice(0, 8);
  const url = new URL(plan.baseUrl);
  let sequence = 0;
  const result = await module.default({
    url: url.origin,
    connections: plan.connections,
    duration: plan.seconds,
    timeout: Math.ceil(plan.timeoutMs / 1000),
    requests: [
      {
        method: "POST",
        path: url.pathname.replace(/\/$/, "") + plan.endpoint.path,
        setupRequest(request) {
          const nowMs = Date.now();
          const eventId = `${runId}-${sequence}`;
          const body = loadStatusBody(eventId, sequence++, nowMs, plan.bodyBytes);
          return { ...request, body, headers: headersOf(sign(eventId, body, nowMs)) };
        },
      },
    ],
  });
  return {
    sent: result.requests.total,
    answered2xx: result["2xx"],
    not2xx: result.non2xx,
    errors: result.errors,
    timeouts: result.timeouts,
    achievedPerSecond: result["2xx"] / result.duration,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    maxMs: result.latency.max,
  };
}

/** Header lines as an object, with the content type in front. */
function headersOf(lines: string): Record<string, string> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  for (const line of lines.trimEnd().split("\r\n")) {
    const colon = line.indexOf(": ");
    headers[line.slice(0, colon)] = line.slice(colon + 2);
  }
  return headers;
}
