import { afterEach, describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/platform/config.ts";
import { createLogger } from "../../src/platform/log.ts";
import type { Runtime } from "../../src/platform/runtime.ts";
import { Shutdown } from "../../src/platform/shutdown.ts";
import { endSpan, startSpan, startTelemetry, traceparentOf } from "../../src/platform/telemetry.ts";

/** A trace id that a sampler by share always takes: its value is near zero. */
const SAMPLED_TRACE = "00000000000000000000000000000001";
const PARENT = `00-${SAMPLED_TRACE}-b7ad6b7169203331-00`;

const stops: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** What telemetry needs of a runtime. */
function runtimeWith(env: Record<string, string>): Runtime {
  const log = createLogger("silent", "test");
  const shutdown = new Shutdown(log);
  stops.push(() => shutdown.run());
  return { name: "edge", config: loadConfig(env), log, shutdown } as unknown as Runtime;
}

describe("startTelemetry()", () => {
  test("startTelemetry() leaves spans off without a collector", async () => {
    await startTelemetry(runtimeWith({}));
    const span = startSpan("accept", { traceparent: PARENT });
    expect(span.isRecording()).toBe(false);
    endSpan(span);
  });

  test("startTelemetry() sends spans of sampled traces, joined to the caller's trace, at shutdown", async () => {
    const received: { path: string; text: string }[] = [];
    const collector = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        received.push({ path: new URL(request.url).pathname, text: await request.text() });
        return Response.json({});
      },
    });
    const runtime = runtimeWith({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}/` });
    await startTelemetry(runtime);
    const span = startSpan("accept", {
      traceparent: PARENT,
      kind: "server",
      attributes: { "hub.topic": "inbound" },
    });
    expect(traceparentOf(span)).toMatch(new RegExp(`^00-${SAMPLED_TRACE}-[0-9a-f]{16}-01$`));
    endSpan(span, new Error("cnry_message"));
    const unsampled = startSpan("accept", {
      traceparent: `00-${"f".repeat(7)}e${"0".repeat(24)}-b7ad6b7169203331-01`,
    });
    expect(unsampled.isRecording()).toBe(false);
    endSpan(unsampled);
    await runtime.shutdown.run();
    await collector.stop(true);
    expect(received.map((request) => request.path)).toEqual(["/v1/traces"]);
    const [scope] = JSON.parse(received[0]!.text).resourceSpans[0].scopeSpans;
    expect(scope.spans).toHaveLength(1);
    expect(scope.spans[0]).toMatchObject({
      name: "accept",
      traceId: SAMPLED_TRACE,
      parentSpanId: "b7ad6b7169203331",
    });
    expect(received[0]!.text).not.toContain("cnry_message");
  });

  test("startSpan() begins a new trace where the traceparent is malformed", async () => {
    await startTelemetry(runtimeWith({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" }));
    for (const traceparent of ["", "00-xyz", `01-${SAMPLED_TRACE}-b7ad6b7169203331-01`]) {
      const span = startSpan("accept", { traceparent });
      expect(span.spanContext().traceId).not.toBe(SAMPLED_TRACE);
      expect(span.spanContext().traceId).toMatch(/^[0-9a-f]{32}$/);
      endSpan(span);
    }
  });
});
