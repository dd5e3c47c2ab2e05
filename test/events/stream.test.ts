import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Server } from "bun";
import { announceStored } from "../../src/domain/events/announce-stored.ts";
import { withTenant } from "../../src/domain/context.ts";
import {
  type LiveEventRow,
  type LivePage,
  readLiveRows,
  readRowsAfter,
} from "../../src/domain/events/event-list-store.ts";
import { LiveFeed } from "../../src/domain/events/live-feed.ts";
import { serveEdge } from "../../src/edge/serve.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { masterNodes } from "../../src/platform/redis/info.ts";
import { createRuntime, type Runtime } from "../../src/platform/runtime.ts";
import { startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";

// A Cluster takes seconds to form, and events of 1 MB to travel; a test cut short has its Redis killed by the runner.
setDefaultTimeout(60_000);

let hub: TestApp;
let runtime: Runtime;
let server: Server<undefined>;
beforeAll(async () => {
  hub = await startTestApp();
  runtime = createRuntime(loadConfig({ ...hub.env, PORT: "0" }), "edge");
  server = await serveEdge(runtime);
});
afterAll(async () => {
  await runtime.shutdown.run();
  await hub.stop();
});

interface LiveMessage {
  id: string;
  data: Record<string, unknown>;
}

/** Reads a stream of server-sent events in the background. */
async function follow(tenant: TestTenant, options: { query?: string; lastEventId?: string } = {}) {
  const abort = new AbortController();
  const answer = await fetch(new URL(`/api/v1/events/stream${options.query ?? ""}`, server.url), {
    signal: abort.signal,
    headers: {
      authorization: `Bearer ${tenant.apiKey}`,
      ...(options.lastEventId === undefined ? {} : { "last-event-id": options.lastEventId }),
    },
  });
  const messages: LiveMessage[] = [];
  const read = async (): Promise<void> => {
    let text = "";
    const decoder = new TextDecoder();
    const reader = answer.body!.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      text += decoder.decode(next.value, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop()!;
      for (const block of blocks) {
        const lines = block.split("\n");
        const id = lines.find((line) => line.startsWith("id: "))?.slice(4);
        const data = lines.find((line) => line.startsWith("data: "))?.slice(6);
        if (id && data) messages.push({ id, data: JSON.parse(data) as Record<string, unknown> });
      }
    }
  };
  const reading = answer.status === 200 ? read().catch(() => undefined) : Promise.resolve();
  return {
    answer,
    messages,
    numbers: () => messages.map(({ data }) => (data["data"] as { n: number }).n),
    async stop() {
      abort.abort();
      await reading;
    },
  };
}

let acceptedAt = Date.now();

/** Stores an event, as the fan-out does. */
async function store(tenant: TestTenant, n: number, options: { type?: string; silent?: boolean } = {}) {
  const id = crypto.randomUUID();
  acceptedAt = Math.max(acceptedAt + 1, Date.now());
  await hub.runtime.sqlSystem`
    insert into events (id, tenant_id, type, source, payload, payload_size, occurred_at, created_at)
    values (${id}, ${tenant.id}, ${options.type ?? "order.created"}, 'API', ${Buffer.from(`{"n":${n}}`)}, 7, now(),
            ${new Date(acceptedAt)})`;
  if (!options.silent) announceStored(hub.runtime, [{ id, tenantId: tenant.id, acceptedAt }]);
  return id;
}

/** Stores events of 1 MB in a row, in silence. */
async function storeLarge(tenant: TestTenant, count: number) {
  const refs = Array.from({ length: count }, () => ({
    id: crypto.randomUUID(),
    tenantId: tenant.id,
    acceptedAt: ++acceptedAt,
  }));
  await hub.runtime.sqlSystem`
    insert into events (id, tenant_id, type, source, payload, payload_size, occurred_at, created_at)
    select r.id, ${tenant.id}, 'order.created', 'API',
      convert_to(format('{"n":%s,"text":"%s"}', r.n - 1, repeat('x', 1000000)), 'UTF8'), 1000020, now(), r.at
    from unnest(${refs.map(({ id }) => id)}::text[]::uuid[],
                ${refs.map((ref) => new Date(ref.acceptedAt).toISOString())}::text[]::timestamptz[])
      with ordinality as r(id, at, n)`;
  return refs;
}

const until = (holds: () => void): Promise<void> =>
  retryUntil(() => Promise.resolve().then(holds), { everyMs: 10, timeoutMs: 50_000 });

describe("GET /api/v1/events/stream", () => {
  test("tells a tenant's events as they are stored, and no other tenant's", async () => {
    const [tenant, other] = [await hub.newTenant(), await hub.newTenant()];
    const view = await follow(tenant);
    expect(view.answer.headers.get("content-type")).toStartWith("text/event-stream");
    expect(view.answer.headers.get("x-content-type-options")).toBe("nosniff");
    await store(other, 99);
    const id = await store(tenant, 1);
    await store(tenant, 2);
    await until(() => expect(view.numbers()).toEqual([1, 2]));
    expect(view.messages[0]!.data).toMatchObject({
      id,
      type: "order.created",
      source: "API",
      data: { n: 1 },
    });
    await view.stop();
  });

  test("closes no stream whose reader has left while its events were being read", async () => {
    const tenant = await hub.newTenant();
    const feed = new LiveFeed(hub.runtime);
    const closed: string[] = [];
    const viewer = (name: string) => ({
      ctx: tenant.ctx,
      pattern: undefined,
      send: () => true,
      waitForRoom: () => Promise.resolve(true),
      close: () => void closed.push(name),
    });
    // Postgres reads no such time, so that the read fails.
    const after = { createdAtMs: 8_640_000_000_000_000, id: crypto.randomUUID() };
    (await feed.join({ ...viewer("first"), after: undefined }))();
    const leave = await feed.join({ ...viewer("left"), after });
    await Promise.resolve();
    leave();
    await feed.join({ ...viewer("stayed"), after });
    await until(() => expect(closed).toEqual(["stayed"]));
  });

  test("narrows to a type", async () => {
    const tenant = await hub.newTenant();
    const view = await follow(tenant, { query: "?type=load.*" });
    await store(tenant, 1);
    await store(tenant, 2, { type: "load.delivered" });
    await until(() => expect(view.numbers()).toEqual([2]));
    await view.stop();
  });

  test("goes on after Last-Event-ID, be it a message's id or an event's, each event once", async () => {
    const tenant = await hub.newTenant();
    const view = await follow(tenant);
    const first = await store(tenant, 1);
    await until(() => expect(view.messages.length).toBe(1));
    const lastEventId = view.messages[0]!.id;
    await view.stop();
    await store(tenant, 2);
    for (const id of [lastEventId, first]) {
      const again = await follow(tenant, { lastEventId: id });
      await until(() => expect(again.numbers()).toEqual([2]));
      await again.stop();
    }
  });

  test("sends a returning reader events of 1 MB one after the other, as it reads them", async () => {
    const tenant = await hub.newTenant();
    const first = await store(tenant, 0);
    await storeLarge(tenant, 40);
    const view = await follow(tenant, { lastEventId: first });
    await until(() => expect(view.numbers()).toEqual(Array.from({ length: 40 }, (_, n) => n)));
    await view.stop();
  });

  test("sends a burst of events that are larger together than what it keeps for a reader", async () => {
    const tenant = await hub.newTenant();
    const view = await follow(tenant);
    const refs = await storeLarge(tenant, 20);
    announceStored(hub.runtime, refs);
    await until(() => expect(view.numbers()).toEqual(Array.from({ length: 20 }, (_, n) => n)));
    await view.stop();
  });

  test("reads no more of the events at a time than fit into a page", async () => {
    const tenant = await hub.newTenant();
    const refs = await storeLarge(tenant, 5);
    const positions = refs.map(({ id, acceptedAt: createdAtMs }) => ({ id, createdAtMs }));
    const start = { createdAtMs: positions[0]!.createdAtMs - 1, id: positions[0]!.id };
    const read = (page: LivePage) =>
      withTenant(tenant.ctx, async (tx) =>
        [
          await readRowsAfter(tx, tenant.id, start, page),
          await readLiveRows(tx, tenant.id, positions, page),
        ].map(({ rows, isWhole }) => [rows.length, isWhole]),
      );
    const page = (rowsMax: number, bytesMax: number) => read({ rowsMax, bytesMax });
    expect(await page(200, 1)).toEqual([
      [1, false],
      [1, false],
    ]);
    expect(await page(200, 2_500_000)).toEqual([
      [3, false],
      [3, false],
    ]);
    expect(await page(2, 10_000_000)).toEqual([
      [2, false],
      [2, false],
    ]);
    expect(await page(5, 10_000_000)).toEqual([
      [5, true],
      [5, true],
    ]);
  });

  test("refuses with 503 while Redis refuses its subscription, and comes back with it", async () => {
    const tenant = await hub.newTenant();
    const own = createRuntime(loadConfig(hub.env), "edge");
    const feed = new LiveFeed(own);
    const viewer = {
      ctx: { ...tenant.ctx, runtime: own },
      pattern: undefined,
      after: undefined,
      send: (row: LiveEventRow) => seen.push(row.id) > 0,
      waitForRoom: () => Promise.resolve(true),
      close: () => undefined,
    };
    const seen: string[] = [];
    const allow = (rule: string) =>
      Promise.all(masterNodes(hub.runtime.redis).map((node) => node.call("ACL", "SETUSER", "default", rule)));
    await allow("resetchannels");
    const refused = await feed.join(viewer).catch((error: unknown) => error);
    await allow("allchannels");
    expect(refused).toMatchObject({ code: "unavailable" });
    const leave = await feed.join(viewer);
    const id = await store(tenant, 1);
    await until(() => expect(seen).toEqual([id]));
    leave();
    await own.shutdown.run();
  });

  test("finds what was stored while its connection to Redis was away", async () => {
    const tenant = await hub.newTenant();
    const view = await follow(tenant);
    await store(tenant, 1);
    await until(() => expect(view.numbers()).toEqual([1]));
    await Promise.all(
      masterNodes(hub.runtime.redis).map((node) => node.call("CLIENT", "KILL", "TYPE", "pubsub")),
    );
    await store(tenant, 2, { silent: true });
    await until(() => expect(view.numbers()).toEqual([1, 2]));
    await view.stop();
  });

  test("refuses strangers, a type that is none and an id that is none", async () => {
    const tenant = await hub.newTenant();
    const stranger = await follow({ ...tenant, apiKey: "hub_x" });
    const odd = await follow(tenant, { query: "?type=a%20b" });
    const lost = await follow(tenant, { lastEventId: "nowhere" });
    expect([stranger, odd, lost].map(({ answer }) => answer.status)).toEqual([401, 422, 422]);
  });

  test("lets a reader go that does not read, and goes on for the others", async () => {
    const tenant = await hub.newTenant();
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: server.port!,
      socket: {
        open(opened) {
          opened.write(
            `GET /api/v1/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${tenant.apiKey}\r\n\r\n`,
          );
        },
        data(opened) {
          opened.pause();
        },
      },
    });
    const view = await follow(tenant);
    const text = "x".repeat(200_000);
    for (let n = 0; n < 60; n++) {
      const id = crypto.randomUUID();
      acceptedAt++;
      const payload = Buffer.from(JSON.stringify({ n, text }));
      await hub.runtime.sqlSystem`
        insert into events (id, tenant_id, type, source, payload, payload_size, occurred_at, created_at)
        values (${id}, ${tenant.id}, 'a.b', 'API', ${payload}, 1, now(), ${new Date(acceptedAt)})`;
      announceStored(hub.runtime, [{ id, tenantId: tenant.id, acceptedAt }]);
      await until(() => expect(view.messages.length).toBe(n + 1));
    }
    expect(view.numbers()).toEqual(Array.from({ length: 60 }, (_, n) => n));
    socket.end();
    await view.stop();
  });
});

test("openEventStream() answers a HEAD at once, and it takes no viewer's place", async () => {
  const tenant = await hub.newTenant();
  const url = new URL("/api/v1/events/stream", server.url);
  const headers = { authorization: `Bearer ${tenant.apiKey}` };
  for (let turn = 0; turn < 25; turn++) {
    const answer = await fetch(url, { method: "HEAD", headers });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([
      200,
      "text/event-stream; charset=utf-8",
    ]);
  }
  const viewer = await follow(tenant);
  expect(viewer.answer.status).toBe(200);
  await viewer.stop();
});
