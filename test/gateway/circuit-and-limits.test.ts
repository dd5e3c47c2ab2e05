import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import { tellErrors } from "../../src/domain/gateway/error-notices.ts";
import { startTestProvider, type TestProvider } from "../integrations/test-provider.ts";
import { startTestGateway, type TestGateway } from "./gateway-fixture.ts";

let hub: TestGateway;
let provider: TestProvider;

beforeAll(async () => {
  hub = await startTestGateway();
  provider = startTestProvider();
});
afterEach(() => {
  provider.answer = undefined;
  provider.seen.length = 0;
});
afterAll(async () => {
  await hub.stop();
  await provider.stop();
});

const ONCE = { "hub-retries": "0" };
const codeOf = async (response: Response): Promise<string> =>
  ((await response.json()) as { code: string }).code;

describe("circuits", () => {
  test("callProvider() opens the circuit after five 5xx in a row, and never for 4xx or 429", async () => {
    const { proxy } = await hub.newIntegration(provider.url);
    for (const status of [404, 429, 500, 500, 500, 500, 400, 500, 500, 500, 500]) {
      provider.answer = () => new Response("x", { status });
      expect((await proxy("/x", { headers: ONCE })).headers.get("hub-circuit")).toBe("CLOSED");
    }
    const last = await proxy("/x", { headers: ONCE });
    expect([last.status, last.headers.get("hub-circuit")]).toEqual([500, "OPEN"]);
    provider.seen.length = 0;
    const refused = await proxy("/x", { headers: ONCE });
    expect([
      refused.status,
      refused.headers.get("hub-error-source"),
      refused.headers.get("hub-circuit"),
    ]).toEqual([503, "hub", "OPEN"]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect([await codeOf(refused), provider.seen.length]).toEqual(["circuit_open", 0]);
  });

  test("callProvider() goes to the manifest's fallback server while the circuit is open", async () => {
    const second = startTestProvider();
    second.answer = () => new Response("second");
    const { proxy, id } = await hub.newIntegration(provider.url, {
      servers: [
        {
          environment: "PRODUCTION",
          baseUrl: provider.url,
          allowedHosts: ["127.0.0.1"],
          fallbackBaseUrl: `${second.url}/spare`,
        },
      ],
    });
    provider.answer = () => new Response("down", { status: 503 });
    for (let at = 0; at < 5; at++) await proxy("/x", { headers: ONCE });
    const response = await proxy("/x?a=1");
    expect([response.status, await response.text()]).toEqual([200, "second"]);
    expect(second.seen.map(({ path }) => path)).toEqual(["/spare/x?a=1"]);
    expect((await hub.logsOf(id, 6)).at(-1)!.url).toBe(`${second.url}/spare/x?a=1`);
    await second.stop();
  });
});

describe("limits", () => {
  test("callProvider() waits for its turn, and refuses when there is none in time", async () => {
    const { proxy } = await hub.newIntegration(provider.url, {
      quotas: [{ name: "seconds", limit: 2, windowSeconds: 3, scope: "integration" }],
    });
    const answers = await Promise.all(Array.from({ length: 4 }, () => proxy("/x")));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(answers.filter(({ headers }) => Number(headers.get("hub-queued-ms")) > 0).length).toBe(2);
    const refused = await proxy("/x", { headers: { "hub-queue-timeout-ms": "0" } });
    expect([refused.status, await codeOf(refused)]).toEqual([429, "rate_limited"]);
    // The window and its slack of 25 ms in whole seconds, when both calls went out just now.
    expect(refused.headers.get("retry-after")).toMatch(/^[1-4]$/);
  });

  test("callProvider() corrects its counts by what the provider reports", async () => {
    const { proxy } = await hub.newIntegration(provider.url, {
      quotas: [{ name: "minute", limit: 100, windowSeconds: 60, scope: "integration" }],
      rateHeaders: [
        {
          quota: "minute",
          remaining: "X-Left",
          reset: { header: "X-Reset", format: "delta_s" },
        },
      ],
    });
    provider.answer = () => new Response("x", { headers: { "x-left": "3", "x-reset": "60" } });
    await proxy("/x");
    provider.answer = () => new Response("x");
    const remaining = [];
    for (let at = 0; at < 3; at++) remaining.push((await proxy("/x")).headers.get("hub-rate-remaining"));
    expect(remaining).toEqual(["2", "1", "0"]);
    expect(await codeOf(await proxy("/x", { headers: { "hub-queue-timeout-ms": "0" } }))).toBe(
      "rate_limited",
    );
  });
});

describe("integration.error", () => {
  test("noteError() tells once a minute of an integration and code, with their number", async () => {
    const { proxy, tenant, id } = await hub.newIntegration(provider.url);
    await createSubscription(tenant.ctx, {
      name: "e",
      url: "http://127.0.0.1:9/x",
      eventTypes: ["integration.error"],
    });
    const events = () => hub.runtime.sqlSystem<{ payload: Record<string, unknown> }[]>`
      select payload from outbox where tenant_id = ${tenant.id} and event_type = 'integration.error' order by id`;
    provider.answer = () => new Response("x", { status: 403 });
    for (let at = 0; at < 3; at++) await proxy("/x", { headers: ONCE });
    provider.answer = () => new Response("x", { status: 404 });
    await proxy("/x");
    while ((await events()).length === 0) await Bun.sleep(50);
    const told = await events();
    expect(told.length).toBe(1);
    expect(told[0]!.payload).toMatchObject({ integrationId: id, code: "forbidden", kind: "auth" });
    provider.answer = () => new Response("x", { status: 403 });
    await proxy("/x", { headers: ONCE });
    let untold = 0;
    while (untold === 0) {
      await Bun.sleep(50);
      const [row] = await hub.runtime.sqlSystem`
        select untold::int from gateway_errors where integration_id = ${id} and code = 'forbidden'`;
      untold = row!["untold"] as number;
    }
    expect((await events()).length).toBe(1);
    await tellErrors(hub.runtime, Date.now() + 61_000);
    const all = await events();
    const counted = all.reduce((sum, { payload }) => sum + (payload["count"] as number), 0);
    expect([all.length, counted]).toEqual([2, 4]);
  });
});
