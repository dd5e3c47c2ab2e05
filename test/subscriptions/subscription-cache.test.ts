import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import { deleteSubscription } from "../../src/domain/subscriptions/delete-subscription.ts";
import { rotateSubscriptionSecret } from "../../src/domain/subscriptions/rotate-subscription-secret.ts";
import type { CreateSubscriptionInput } from "../../src/domain/subscriptions/schema.ts";
import { setSubscriptionStatus } from "../../src/domain/subscriptions/set-subscription-status.ts";
import { SubscriptionCache } from "../../src/domain/subscriptions/subscription-cache.ts";
import { updateSubscription } from "../../src/domain/subscriptions/update-subscription.ts";
import { subscribeInvalidation } from "../../src/platform/invalidation.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";

let hub: TestApp;
let cache: SubscriptionCache;
beforeAll(async () => {
  hub = await startTestApp();
  cache = new SubscriptionCache(hub.runtime);
  await subscribeInvalidation(hub.runtime, {
    handlers: { subscription: (name) => cache.invalidate(name) },
    onReconnect: () => cache.clear(),
  });
});
afterAll(() => hub.stop());

const make = (tenant: TestTenant, more: Partial<CreateSubscriptionInput> = {}) =>
  createSubscription(tenant.ctx, {
    name: "s",
    url: "https://receiver.example.com/",
    eventTypes: ["order.*"],
    ...more,
  });
const matching = async (tenant: TestTenant, type: string, data: unknown = {}): Promise<string[]> =>
  (await cache.matching(tenant.id, { id: "e", type, data: () => data })).map(({ id }) => id).toSorted();
const until = (holds: () => Promise<void>): Promise<void> =>
  retryUntil(holds, { everyMs: 20, timeoutMs: 50_000 });

describe("SubscriptionCache.matching()", () => {
  test("finds by exact type, by beginning and by *, each once, of this tenant only", async () => {
    const [tenant, other] = [await hub.newTenant(), await hub.newTenant()];
    const exact = await make(tenant, { eventTypes: ["order.created", "order.*", "*"] });
    const all = await make(tenant, { eventTypes: ["*"] });
    const load = await make(tenant, { eventTypes: ["load.delivered"] });
    await make(other, { eventTypes: ["*"] });
    expect(await matching(tenant, "order.created")).toEqual([exact.id, all.id].toSorted());
    expect(await matching(tenant, "load.delivered")).toEqual([exact.id, all.id, load.id].toSorted());
    expect(await matching(await hub.newTenant(), "order.created")).toEqual([]);
  });

  test("asks the filter, and parses the data only when there is one", async () => {
    const tenant = await hub.newTenant();
    const plain = await make(tenant);
    let asked = 0;
    const event = { id: "e", type: "order.created", data: () => (asked++, { status: "NEW" }) };
    await cache.matching(tenant.id, event);
    expect(asked).toBe(0);
    const filtered = await make(tenant, { filter: { "data.status": "NEW" } });
    const never = await make(tenant, { filter: { "data.status": "OLD" } });
    await until(async () => {
      const found = (await cache.matching(tenant.id, event)).map(({ id }) => id);
      expect(found.toSorted()).toEqual([plain.id, filtered.id].toSorted());
      expect(found).not.toContain(never.id);
    });
  });

  test("shows paused and disabled ones with their status, follows changes, and forgets what is deleted", async () => {
    const tenant = await hub.newTenant();
    const { id } = await make(tenant);
    expect(await matching(tenant, "order.created")).toEqual([id]);
    await setSubscriptionStatus(tenant.ctx, { id, status: "PAUSED" });
    await until(async () => {
      const [entry] = await cache.matching(tenant.id, { id: "e", type: "order.created", data: () => 1 });
      expect(entry!.status).toBe("PAUSED");
    });
    await updateSubscription(tenant.ctx, { id, changes: { eventTypes: ["load.*"] } });
    await until(async () => {
      expect(await matching(tenant, "order.created")).toEqual([]);
      expect(await matching(tenant, "load.x")).toEqual([id]);
    });
    await deleteSubscription(tenant.ctx, { id });
    await until(async () => expect(await matching(tenant, "load.x")).toEqual([]));
  });

  test("shows a new subscription to who asks after its announcement, also while an older read is under way", async () => {
    const tenant = await hub.newTenant();
    const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const slowSql = new Proxy(hub.runtime.sqlSystem, {
      apply(sql, self, args) {
        const query = Reflect.apply(sql, self, args);
        if (!String(args[0]).includes("from webhook_subscriptions")) return query;
        return query.then(async (rows: unknown) => {
          asked.resolve();
          await answered.promise;
          return rows;
        });
      },
    });
    const own = new SubscriptionCache(
      Object.create(hub.runtime, { sqlSystem: { value: slowSql } }) as typeof hub.runtime,
    );
    const event = { id: "e", type: "order.created", data: () => ({}) };
    const before = own.matching(tenant.id, event);
    await asked.promise;
    const { id } = await make(tenant);
    own.invalidate(`${tenant.id}/${id}`);
    const after = [own.matching(tenant.id, event), own.matching(tenant.id, event)];
    answered.resolve();
    expect(await before).toEqual([]);
    for (const found of await Promise.all(after)) expect(found.map((entry) => entry.id)).toEqual([id]);
  });

  test("with 100,000 subscriptions to * gives every event the same list", async () => {
    const tenant = await hub.newTenant();
    await hub.runtime.sqlSystem`
      insert into webhook_subscriptions (tenant_id, name, url, event_types)
      select ${tenant.id}, 's' || n, 'https://receiver.example.com/' || n, '["*"]'
      from generate_series(1, 100000) as n`;
    const own = new SubscriptionCache(hub.runtime);
    const ask = (type: string) => own.matching(tenant.id, { id: "e", type, data: () => ({}) });
    Bun.gc(true);
    const before = process.memoryUsage().heapUsed;
    const first = await ask("order.created");
    expect(first.length).toBe(100_000);
    expect(new Set(first.map(({ id }) => id)).size).toBe(100_000);
    for (let n = 0; n < 1000; n++) expect(await ask(`type.number${n}`)).toBe(first);
    Bun.gc(true);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(200 * 1024 * 1024);
  }, 60_000);
});

describe("SubscriptionCache.find()", () => {
  test("opens the secrets and the authentication, and shows a change", async () => {
    const tenant = await hub.newTenant();
    const created = await make(tenant, {
      authType: "BASIC",
      authConfig: { username: "u", password: "p" },
      headers: { "X-A": "1" },
    });
    const found = await cache.find(created.id);
    expect(found).toMatchObject({
      id: created.id,
      tenantId: tenant.id,
      status: "ACTIVE",
      url: "https://receiver.example.com/",
      headers: { "x-a": "1" },
      auth: { type: "BASIC", username: "u", password: "p" },
      secrets: [created.secretKey],
      signatureForm: { scheme: "STANDARD_WEBHOOKS" },
      maxRetries: 5,
      retryIntervalsSeconds: [60, 300, 900, 3600, 7200],
    });
    const { secretKey } = await rotateSubscriptionSecret(tenant.ctx, { id: created.id });
    await until(async () =>
      expect((await cache.find(created.id))!.secrets).toEqual([secretKey, created.secretKey]),
    );
    await deleteSubscription(tenant.ctx, { id: created.id });
    await until(async () => expect(await cache.find(created.id)).toBeUndefined());
  });

  test("leaves out an old secret that does not suit a new form of the signature", async () => {
    const tenant = await hub.newTenant();
    const { id } = await make(tenant, {
      signature: { scheme: "HMAC" },
      secretKey: "any text of some length",
    });
    const secretKey = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
    await rotateSubscriptionSecret(tenant.ctx, { id, secretKey });
    await updateSubscription(tenant.ctx, { id, changes: { signature: null } });
    await until(async () => {
      const compiled = (await cache.find(id))!;
      expect(compiled).toMatchObject({
        signatureForm: { scheme: "STANDARD_WEBHOOKS" },
        secrets: [secretKey],
      });
    });
  });

  test("asks for many at once in one statement, and answers undefined for one that never was", async () => {
    const tenant = await hub.newTenant();
    const made = await Promise.all(Array.from({ length: 20 }, () => make(tenant)));
    const unknown = crypto.randomUUID();
    const found = await Promise.all([...made.map(({ id }) => id), unknown].map((id) => cache.find(id)));
    expect(found.map((one) => one?.id)).toEqual([...made.map(({ id }) => id), undefined]);
  });
});
