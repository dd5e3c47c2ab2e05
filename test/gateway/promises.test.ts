import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { gatewayAdmissionOf } from "../../src/domain/gateway/gateway-admission.ts";
import { IN_FLIGHT_MAX, inFlightOf } from "../../src/domain/gateway/in-flight.ts";
import type { ProviderManifest } from "../../src/domain/providers/manifest-schema.ts";
import { GOOD_KEY, startTestProvider, type TestProvider } from "../integrations/test-provider.ts";
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

const codeOf = async (response: Response): Promise<string> =>
  ((await response.json()) as { code: string }).code;

/** Its key belongs into the body of each call. */
const IN_BODY: Partial<ProviderManifest> = {
  auth: {
    type: "API_KEY",
    place: [
      { in: "body", name: "apiKey", value: "{apiKey}" },
      { in: "header", name: "X-Key", value: "{apiKey}" },
    ],
  },
};

describe("a process that is full", () => {
  test("callProvider() answers 503 gateway_busy at once, before a request goes out, and works on afterwards", async () => {
    const { proxy, id } = await hub.newIntegration(provider.url);
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    provider.answer = async () => {
      await held;
      return new Response("done");
    };
    const waiting = Array.from({ length: IN_FLIGHT_MAX }, () => proxy("/slow"));
    while (!inFlightOf(hub.runtime).isFull) await Bun.sleep(5);
    const refused = await proxy("/one-more");
    expect([
      refused.status,
      refused.headers.get("hub-error-source"),
      refused.headers.get("retry-after"),
    ]).toEqual([503, "hub", "1"]);
    expect(await codeOf(refused)).toBe("gateway_busy");
    expect(provider.seen.some(({ path }) => path === "/one-more")).toBe(false);
    release();
    const answers = await Promise.all(waiting);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    await Promise.all(answers.map((answer) => answer.text()));
    const after = await proxy("/after");
    expect([after.status, await after.text()]).toEqual([200, "done"]);
    while (inFlightOf(hub.runtime).count > 0) await Bun.sleep(5);
    expect((await hub.logsOf(id, IN_FLIGHT_MAX + 1)).length).toBe(IN_FLIGHT_MAX + 1);
  }, 60_000);
});

describe("Hub-Priority", () => {
  test("callProvider() lets high calls of another connection pass normal ones, and these pass low ones", async () => {
    const { proxy } = await hub.newIntegration(provider.url, {
      quotas: [{ name: "atOnce", limit: 1, scope: "integration" }],
    });
    const order: string[] = [];
    const gates: (() => void)[] = [];
    provider.answer = async (request) => {
      order.push(new URL(request.url).pathname.slice(1));
      await new Promise<void>((resolve) => gates.push(resolve));
      return new Response("done");
    };
    const call = (name: string, priority: string): Promise<Response> =>
      proxy(`/${name}`, { headers: { "hub-priority": priority, "hub-timeout-ms": "50000" } });
    const { admission } = await gatewayAdmissionOf(hub.runtime);
    const queued = async (count: number): Promise<void> => {
      while (admission.waiting < count) await Bun.sleep(5);
    };
    const calls = [call("first", "normal")];
    while (order.length === 0) await Bun.sleep(5);
    for (const [name, priority] of [
      ["low", "low"],
      ["normal-1", "normal"],
      ["normal-2", "normal"],
      ["high", "high"],
    ] as const) {
      calls.push(call(name, priority));
      // oxlint-disable-next-line no-await-in-loop -- they come one after the other
      await queued(calls.length - 1);
    }
    for (let at = 0; at < calls.length; at++) {
      // oxlint-disable-next-line no-await-in-loop -- each goes when the one before has ended
      while (gates.length === 0) await Bun.sleep(5);
      gates.shift()!();
    }
    const answers = await Promise.all(calls);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(order).toEqual(["first", "high", "normal-1", "normal-2", "low"]);
    expect(Number(answers[1]!.headers.get("hub-queued-ms"))).toBeGreaterThan(0);
  }, 60_000);

  test("callProvider() keeps a high call within the provider's limit, and refuses a priority that it does not know", async () => {
    const { proxy } = await hub.newIntegration(provider.url, {
      quotas: [{ name: "minute", limit: 1, windowSeconds: 60, scope: "integration" }],
    });
    const headers = { "hub-priority": "high", "hub-queue-timeout-ms": "0" };
    expect((await proxy("/x", { headers })).status).toBe(200);
    const second = await proxy("/x", { headers });
    expect([second.status, await codeOf(second), provider.seen.length]).toEqual([429, "rate_limited", 1]);
    const odd = await proxy("/x", { headers: { "hub-priority": "urgent" } });
    expect([odd.status, ((await odd.json()) as { errors: { path: string }[] }).errors[0]!.path]).toEqual([
      422,
      "Hub-Priority",
    ]);
  });
});

describe("a credential in the body", () => {
  test("callProvider() writes it into JSON and forms over whatever the caller says, and into no log", async () => {
    const { proxy, id } = await hub.newIntegration(provider.url, IN_BODY);
    provider.answer = async (request) => new Response(await request.text());
    const post = (body: string, type: string) =>
      proxy("/x", { method: "POST", body, headers: { "content-type": type } });
    const json = await post('{"a":1,"apiKey":"of the caller"}', "application/json; charset=utf-8");
    expect(await json.json()).toEqual({ a: 1, apiKey: GOOD_KEY });
    const exact = '{"id":12345678901234567890,"far":1e400,"apiKey":"x"}';
    expect(await (await post(exact, "application/json")).text()).toBe(exact.replace('"x"', `"${GOOD_KEY}"`));
    const form = await post("a=1&apiKey=of+the+caller&b=%26", "application/x-www-form-urlencoded");
    expect(await form.text()).toBe(`a=1&b=%26&apiKey=${GOOD_KEY}`);
    const empty = await proxy("/x", { method: "POST" });
    expect(await empty.json()).toEqual({ apiKey: GOOD_KEY });
    const rows = await hub.logsOf(id, 4);
    expect(rows.length).toBe(4);
    for (const { whole } of rows) expect(whole).not.toContain(GOOD_KEY);
  });

  test("callProvider() streams no body past it: 413 above a megabyte, 415 for what it cannot write into", async () => {
    const { proxy } = await hub.newIntegration(provider.url, IN_BODY);
    const post = async (body: string, type: string) => {
      const answer = await proxy("/x", { method: "POST", body, headers: { "content-type": type } });
      return [answer.status, answer.headers.get("hub-error-source"), await codeOf(answer)];
    };
    expect(await post("<a/>", "application/xml")).toEqual([415, "hub", "unsupported_media_type"]);
    expect(await post("[1]", "application/json")).toEqual([415, "hub", "unsupported_media_type"]);
    const long = JSON.stringify({ long: "x".repeat(1_100_000) });
    expect(await post(long, "application/json")).toEqual([413, "hub", "body_too_large"]);
    expect(provider.seen).toEqual([]);
    const { admission } = await gatewayAdmissionOf(hub.runtime);
    while (inFlightOf(hub.runtime).count > 0) await Bun.sleep(5);
    expect(admission.waiting).toBe(0);
  });

  test("callProvider() writes it into each try, when a body is sent again", async () => {
    const { proxy } = await hub.newIntegration(provider.url, IN_BODY);
    const bodies: string[] = [];
    provider.answer = async (request) => {
      bodies.push(await request.text());
      return new Response("x", { status: bodies.length < 2 ? 503 : 200 });
    };
    const answer = await proxy("/x", {
      method: "POST",
      body: new Blob([JSON.stringify({ a: "x".repeat(100_000) })]).stream(),
      headers: { "content-type": "application/json", "idempotency-key": "k" },
    });
    expect([answer.status, bodies.length, bodies[0] === bodies[1]]).toEqual([200, 2, true]);
    expect(JSON.parse(bodies[1]!)).toMatchObject({ apiKey: GOOD_KEY });
  });
});

describe("what the manifest says no log may hold", () => {
  const SECRETS: Partial<ProviderManifest> = { redact: ["/driver/licence", "/cards/0/number~1pan"] };
  const document = {
    driver: { licence: "B-7712-XK", name: "Ann" },
    cards: [{ "number/pan": "4111 1111 1111 1111", type: "fuel" }],
  };

  test("logTry() leaves its members out of both bodies, also of a body that is cut", async () => {
    const { proxy, id } = await hub.newIntegration(provider.url, SECRETS);
    const padded = { ...document, padding: "y".repeat(100_000), late: document.driver };
    provider.answer = () => Response.json(padded);
    const answer = await proxy("/x", {
      method: "POST",
      body: JSON.stringify(document),
      headers: { "content-type": "application/json" },
    });
    expect(await answer.json()).toEqual(padded);
    const [row] = await hub.logsOf(id);
    for (const secret of ["B-7712-XK", "4111 1111"]) expect(row!.whole).not.toContain(secret);
    for (const kept of ["Ann", "fuel"])
      expect([row!.body, row!.responseBody].every((body) => body!.includes(kept))).toBe(true);
  });
});

describe("an answer that breaks off", () => {
  test("callProvider() ends the connection, logs the try, and prints nothing", async () => {
    let nth = 0;
    const raw = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket) {
          nth++;
          const framing = nth === 2 ? "Transfer-Encoding: chunked" : "Content-Length: 1000000";
          socket.write(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n${framing}\r\n\r\n`);
          socket.write(`${nth === 2 ? "30d40\r\n" : ""}${"x".repeat(200_000)}`);
          // At once, later, and with a reset.
          if (nth === 1) socket.end();
          else setTimeout(() => socket.terminate(), 50);
        },
      },
    });
    const broken = await hub.newIntegration(`http://127.0.0.1:${raw.port}`);
    const edge = Bun.spawn([process.execPath, "test/gateway/edge-process.ts"], {
      env: { ...process.env, ...hub.env, PORT: "0", LOG_LEVEL: "info" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const reader = edge.stdout.getReader();
    const port = Number(new TextDecoder().decode((await reader.read()).value).trim());
    const target = `http://127.0.0.1:${port}/api/v1/integrations/${broken.id}/proxy/x`;
    for (let at = 0; at < 3; at++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const answer = await fetch(target, { headers: { authorization: `Bearer ${broken.tenant.apiKey}` } });
      expect(answer.status).toBe(200);
      // oxlint-disable-next-line no-await-in-loop -- as above
      expect(await answer.text().catch(() => "broken")).toBe("broken");
    }
    edge.kill("SIGTERM");
    const said = await new Response(edge.stderr).text();
    raw.stop(true);
    expect(said).toBe("");
    const rows = await hub.logsOf(broken.id, 3);
    expect(rows.map(({ responseStatus, status }) => [responseStatus, status])).toEqual(
      [1, 2, 3].map(() => [200, "SERVER_ERROR"]),
    );
  }, 60_000);
});
