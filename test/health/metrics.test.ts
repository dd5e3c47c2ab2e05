import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHubApp } from "./edge-app.ts";
import { publishMetrics } from "../../src/domain/health/metrics-exchange.ts";
import { createFastCounter } from "../../src/platform/metrics.ts";
import { inboundKeys } from "../../src/platform/redis/keys.ts";
import { createRuntime, type Runtime } from "../../src/platform/runtime.ts";
import { type Fixture, startFixture } from "../api-logs/fixture.ts";

let fixture: Fixture;
let worker: Runtime;
let scrape: (headers?: Record<string, string>) => Promise<Response>;

beforeAll(async () => {
  fixture = await startFixture({}, "edge");
  worker = createRuntime(fixture.runtime.config, "worker");
  scrape = createHubApp(fixture.runtime);
});

afterAll(async () => {
  await worker.shutdown.run();
  await fixture.stop();
});

describe("GET /metrics", () => {
  test("GET /metrics shows depth and age of the topic from Redis", async () => {
    const { redis } = fixture.runtime;
    await redis.xadd(inboundKeys(1).stream, `${Date.now() - 90_000}-0`, "m", "{}");
    await redis.xadd(inboundKeys(2).stream, "*", "m", "{}");
    await redis.zadd(inboundKeys(0).retry, 1, "a");
    const text = await (await scrape()).text();
    expect(text).toContain('hub_stream_depth{topic="inbound"} 2');
    expect(text).toContain('hub_retry_depth{topic="inbound"} 1');
    expect(
      Number(/hub_stream_oldest_seconds\{topic="inbound"\} (\S+)/.exec(text)?.[1]),
    ).toBeGreaterThanOrEqual(90);
    expect(text).toContain("hub_dedupe_window_seconds 43200");
  });

  test("GET /metrics shows what another process counted", async () => {
    createFastCounter(worker.metrics, { name: "h_worker_total", help: "h", label: "l", values: ["a"] }).inc(
      "a",
      5,
    );
    publishMetrics(worker);
    let text = "";
    while (!text.includes('h_worker_total{l="a"} 5')) {
      text = await (await scrape()).text();
      await Bun.sleep(20);
    }
    expect(text).toMatch(/hub_process_resident_memory_bytes\{process="edge-/);
    expect(text).toMatch(/hub_process_resident_memory_bytes\{process="worker-/);
  }, 15_000);

  test("GET /metrics names no tenant", async () => {
    const ctx = await fixture.tenant();
    const text = await (await scrape()).text();
    expect(text).not.toContain(ctx.tenantId);
    expect(text).not.toContain("tenant=");
  });

  test("GET /metrics answers 404 to what came through a proxy", async () => {
    const answer = await scrape({ "x-forwarded-for": "10.0.0.1" });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: "not_found" });
  });
});
