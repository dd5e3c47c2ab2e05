import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHubApp } from "./edge-app.ts";
import { watchConservation } from "../../src/domain/health/watch-conservation.ts";
import { scheduler } from "../../workers/scheduler.ts";
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

async function untilShown(line: string): Promise<string> {
  for (;;) {
    const text = await (await scrape()).text();
    if (text.includes(line)) return text;
    await Bun.sleep(20);
  }
}

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
    const text = await untilShown('h_worker_total{l="a"} 5');
    expect(text).toMatch(/hub_process_resident_memory_bytes\{process="edge-/);
    expect(text).toMatch(/hub_process_resident_memory_bytes\{process="worker-/);
  }, 60_000);

  test("GET /metrics shows the conservation difference of the process that leads: 0, and 1 when an entry is gone", async () => {
    const { redis } = fixture.runtime;
    for (let partition = 0; partition < 4; partition++) {
      const { stream, retry } = inboundKeys(partition);
      await redis.del(stream);
      await redis.del(retry);
    }
    const entry = await redis.xadd(inboundKeys(3).stream, "*", "m", "{}");
    await redis.hset(inboundKeys(3).ledger, "tenant/accepted", 3, "tenant/processed", 2);
    const { stop } = scheduler.start(fixture.runtime);
    await untilShown('hub_conservation_difference{topic="inbound"} 0');
    await stop();
    expect(await (await scrape()).text()).not.toContain("hub_conservation_difference{");
    await redis.xdel(inboundKeys(3).stream, entry!);
    const job = watchConservation(worker);
    await job.run(worker, { token: 1, isHeld: () => true, ended: new AbortController().signal });
    expect(await worker.metrics.metrics()).toContain('hub_conservation_difference{topic="inbound"} 1');
  });

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
