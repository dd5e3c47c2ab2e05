import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import { CallRunner } from "../../src/domain/gateway/run-calls.ts";
import { GOOD_KEY, startTestProvider, type TestProvider } from "../integrations/test-provider.ts";
import { startTestGateway, type TestGateway, type TestIntegration } from "./gateway-fixture.ts";

let hub: TestGateway;
let provider: TestProvider;
let runner: CallRunner | undefined;

beforeAll(async () => {
  hub = await startTestGateway();
  provider = startTestProvider();
});
afterEach(async () => {
  await runner?.stop();
  runner = undefined;
  provider.answer = undefined;
  provider.seen.length = 0;
});
afterAll(async () => {
  await hub.stop();
  await provider.stop();
});

const ASYNC = { prefer: "respond-async" };

async function resultOf({ tenant }: TestIntegration, location: string) {
  for (;;) {
    const { json } = await hub.call("GET", location, { key: tenant.apiKey });
    if (json["finishedAt"] !== null) return json;
    await Bun.sleep(20);
  }
}

describe("Prefer: respond-async", () => {
  test("withoutCredential() takes a credential that the provider repeats out of what is stored, byte by byte", async () => {
    const made = await hub.newIntegration(provider.url);
    const around = Buffer.from([0, 255, 254, 128, 10]);
    provider.answer = () =>
      new Response(Buffer.concat([around, Buffer.from(`key=${GOOD_KEY};`), around]), {
        headers: { "x-seen": `Key ${GOOD_KEY}`, "content-type": "application/octet-stream" },
      });
    const accepted = await made.proxy("/echo", { headers: ASYNC });
    runner = new CallRunner(hub.runtime);
    const result = await resultOf(made, accepted.headers.get("location")!);
    const { headers, body, bodyEncoding } = result["response"] as {
      headers: Record<string, string>;
      body: string;
      bodyEncoding: string;
    };
    expect([headers["x-seen"], bodyEncoding]).toEqual(["Key [redacted]", "base64"]);
    expect(Buffer.from(body, "base64")).toEqual(
      Buffer.concat([around, Buffer.from("key=[redacted];"), around]),
    );
  });

  test("enqueueCall() answers 202, and the result is fetched and told of", async () => {
    const made = await hub.newIntegration(provider.url);
    await createSubscription(made.tenant.ctx, {
      name: "calls",
      url: "http://127.0.0.1:9/x",
      eventTypes: ["gateway.call_completed"],
    });
    provider.answer = () => Response.json({ made: true }, { status: 201, headers: { "x-own": "1" } });
    const accepted = await made.proxy("/v1/loads?a=1", { method: "POST", body: `{"b":2}`, headers: ASYNC });
    expect([accepted.status, accepted.headers.get("preference-applied")]).toEqual([202, "respond-async"]);
    const location = accepted.headers.get("location")!;
    const waiting = await hub.call("GET", location, { key: made.tenant.apiKey });
    expect(waiting.json).toMatchObject({ status: "QUEUED", response: null, error: null, finishedAt: null });
    expect(provider.seen).toEqual([]);

    runner = new CallRunner(hub.runtime);
    const result = await resultOf(made, location);
    expect(result).toMatchObject({
      method: "POST",
      target: "/v1/loads?a=1",
      status: "DONE",
      attempts: 1,
      response: { status: 201, body: `{"made":true}`, bodyEncoding: "utf8", bodyTruncated: false },
      error: null,
    });
    expect(provider.seen).toMatchObject([{ method: "POST", path: "/v1/loads?a=1", body: `{"b":2}` }]);
    expect((await hub.logsOf(made.id))[0]!.id).toBe(result["logId"] as string);
    const events = await hub.runtime.sqlSystem<{ payload: Record<string, unknown> }[]>`
      select payload from outbox where tenant_id = ${made.tenant.id} and event_type = 'gateway.call_completed'`;
    expect(events.map(({ payload }) => payload)).toMatchObject([
      { callId: result["id"], status: "DONE", response: { status: 201, body: `{"made":true}` } },
    ]);
    const [stored] = await hub.runtime
      .sqlSystem`select headers, body from gateway_calls where id = ${result["id"] as string}`;
    expect(stored).toEqual({ headers: {}, body: null });
  });

  test("enqueueCall() stores a call once for an Idempotency-Key", async () => {
    const made = await hub.newIntegration(provider.url);
    const send = (body: string) =>
      made.proxy("/x", { method: "POST", body, headers: { ...ASYNC, "idempotency-key": "k" } });
    const [first, second, other] = [await send("1"), await send("1"), await send("2")];
    expect(second.headers.get("location")).toBe(first.headers.get("location")!);
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(other.status).toBe(422);
  });

  test("CallRunner does not repeat what may have been done when its worker died", async () => {
    const made = await hub.newIntegration(provider.url);
    const locations: string[] = [];
    for (const method of ["POST", "GET"]) {
      const accepted = await made.proxy("/crash", { method, headers: ASYNC });
      locations.push(accepted.headers.get("location")!);
    }
    await hub.runtime.sqlSystem`
      update gateway_calls set status = 'RUNNING', started_at = now(), due_at = now() - interval '1 second'
      where integration_id = ${made.id}`;
    runner = new CallRunner(hub.runtime);
    expect(await resultOf(made, locations[0]!)).toMatchObject({
      status: "FAILED",
      error: { code: "outcome_unknown" },
    });
    expect(await resultOf(made, locations[1]!)).toMatchObject({ status: "DONE", error: null });
    const seen = provider.seen.filter(({ path }) => path === "/crash");
    expect(seen.map(({ method }) => method)).toEqual(["GET"]);
  });

  test("CallRunner comes back to a call that the limits let out later", async () => {
    const made = await hub.newIntegration(provider.url, {
      quotas: [{ name: "second", limit: 1, windowSeconds: 1, scope: "integration" }],
    });
    const locations: string[] = [];
    for (let at = 0; at < 3; at++)
      locations.push((await made.proxy(`/${at}`, { headers: ASYNC })).headers.get("location")!);
    runner = new CallRunner(hub.runtime);
    const results = await Promise.all(locations.map((location) => resultOf(made, location)));
    expect(results.map(({ status }) => status)).toEqual(["DONE", "DONE", "DONE"]);
  });

  test("getCall() shows a call to nobody else", async () => {
    const made = await hub.newIntegration(provider.url);
    const location = (await made.proxy("/x", { headers: ASYNC })).headers.get("location")!;
    const other = await hub.newTenant();
    expect((await hub.call("GET", location, { key: other.apiKey })).status).toBe(404);
  });
});
