import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { recordCircuit } from "../../src/domain/circuit-breaker/record-circuit.ts";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import { gatewayAdmissionOf } from "../../src/domain/gateway/gateway-admission.ts";
import type { AdmissionScope } from "../../src/domain/rate-limit/admission-call.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { admissionKeys } from "../../src/platform/redis/keys.ts";
import { newId } from "../../src/platform/uuid.ts";
import { startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";
import { another, callOf, quotaOf } from "../rate-limit/admission-fixture.ts";
import { PROJECT_DIR } from "../support/paths.ts";

const TIMEOUT_MS = 90_000;
const PROCESSES = 4;

let hub: TestApp;
beforeAll(async () => {
  hub = await startTestApp({
    env: {
      ALERT_WEBHOOK_URL: "http://127.0.0.1:9/alerts",
      EGRESS_ALLOW_CIDRS: "127.0.0.0/8",
      EGRESS_ALLOW_HTTP: "true",
    },
  });
}, TIMEOUT_MS);
afterAll(() => hub.stop(), TIMEOUT_MS);

function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const attempt = async (): Promise<void> => {
    if (!(await holds())) throw new Error(`Not in time: ${what}`);
  };
  return retryUntil(attempt, { everyMs: 20, timeoutMs: 40_000 });
}

/** A tenant with an integration, and a subscription to what its circuit does. */
async function makeIntegration(): Promise<{ tenant: TestTenant; scope: AdmissionScope }> {
  const tenant = await hub.newTenant();
  const [providerId, integrationId] = [newId(), newId()];
  await hub.runtime.sqlSystem`
    insert into integration_providers (id, tenant_id, code, name, category, config_schema, auth_type)
    values (${providerId}, ${tenant.id}, 'own', 'Own', 'CRM', '{}', 'NONE')`;
  await hub.runtime.sqlSystem`
    insert into integrations (id, tenant_id, provider_id, name, config, auth_type)
    values (${integrationId}, ${tenant.id}, ${providerId}, 'Their CRM', '{}', 'NONE')`;
  await createSubscription(tenant.ctx, {
    name: "circuits",
    url: "http://127.0.0.1:9/hook",
    eventTypes: ["circuit.*"],
  });
  return {
    tenant,
    scope: { tenantId: tenant.id, integrationId, providerId, environment: "PRODUCTION" },
  };
}

const eventsOf = async (tenantId: string): Promise<string[]> => {
  const rows = await hub.runtime.sqlSystem<{ type: string }[]>`
    select event_type as type from outbox where tenant_id = ${tenantId} order by id`;
  return rows.map(({ type }) => type);
};
const alertsOf = async (tenantId: string): Promise<string[]> => {
  const rows = await hub.runtime.sqlSystem<{ kind: string }[]>`
    select kind from operator_alerts where tenant_id = ${tenantId} order by created_at, id`;
  return rows.map(({ kind }) => kind);
};
const recordOf = async (integrationId: string): Promise<Record<string, unknown>> => {
  const [row] = await hub.runtime.sqlSystem`
    select state, failure_count::int as failures, success_count::int as successes, opened_at, half_open_at
    from circuit_breaker_state where integration_id = ${integrationId}`;
  return { ...row };
};

/** A provider that answers as it is told, and knows who is asking. */
class Provider {
  mode: "works" | "fails" | "hangs" = "works";
  readonly asking: number[] = [];
  /** Processes that were killed; their requests may be noticed as ended a little later. */
  readonly dead = new Set<number>();
  /** Most requests of living processes at once. */
  most = 0;
  total = 0;
  readonly #server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 60,
    fetch: async (request) => {
      const pid = Number(request.headers.get("x-pid"));
      this.total++;
      this.asking.push(pid);
      const living = this.asking.filter((asking) => !this.dead.has(asking));
      this.most = Math.max(this.most, living.length);
      if (this.mode === "hangs") {
        await new Promise<void>((resolve) => request.signal.addEventListener("abort", () => resolve()));
      } else {
        await Bun.sleep(5);
      }
      this.asking.splice(this.asking.indexOf(pid), 1);
      return new Response(null, { status: this.mode === "works" ? 200 : 503 });
    },
  });

  get url(): string {
    return this.#server.url.href;
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }
}

describe("the circuit routes", () => {
  const path = (scope: AdmissionScope, more = ""): string =>
    `/api/v1/integrations/${scope.integrationId}/circuit${more}`;

  test("show the specification's defaults, take others, and give them back", async () => {
    const { tenant, scope } = await makeIntegration();
    const key = tenant.apiKey;
    const shown = await hub.call("GET", path(scope), { key });
    expect(shown.json).toEqual({
      integrationId: scope.integrationId,
      state: "CLOSED",
      failureCount: 0,
      successCount: 0,
      failureThreshold: 5,
      successThreshold: 3,
      timeoutSeconds: 60,
      lastFailureAt: null,
      lastSuccessAt: null,
      openedAt: null,
      halfOpenAt: null,
      nextCallAt: null,
    });
    const body = { failureThreshold: 2, timeoutSeconds: 1 };
    const changed = await hub.call("PUT", path(scope), { key, body });
    expect(changed.json).toMatchObject({ failureThreshold: 2, successThreshold: 3, timeoutSeconds: 1 });
    const reset = await hub.call("PUT", path(scope), { key, body: { failureThreshold: null } });
    expect(reset.json).toMatchObject({ failureThreshold: 5, timeoutSeconds: 1 });
    for (const wrong of [{ failureThreshold: 0 }, { timeoutSeconds: 1.5 }, { other: 1 }, {}]) {
      expect((await hub.call("PUT", path(scope), { key, body: wrong })).status).toBe(422);
    }
  });

  test("trip and reset a circuit, each once in events, alerts and the audit log", async () => {
    const { tenant, scope } = await makeIntegration();
    const key = tenant.apiKey;
    const { admission } = await gatewayAdmissionOf(hub.runtime);
    const call = callOf({ ...scope, quotas: [quotaOf({ limit: 100 })] });
    expect((await admission.admit(call)).kind).toBe("go");
    for (let again = 0; again < 2; again++) {
      const tripped = await hub.call("POST", path(scope, "/trip"), { key });
      expect(tripped.status).toBe(200);
      expect(tripped.json).toMatchObject({ state: "OPEN", nextCallAt: expect.any(String) });
    }
    expect(await admission.admit(another(call))).toMatchObject({ kind: "refused", code: "circuit_open" });
    expect(await recordOf(scope.integrationId)).toMatchObject({ state: "OPEN", opened_at: expect.any(Date) });
    const closed = await hub.call("POST", path(scope, "/reset"), { key });
    expect(closed.json).toMatchObject({ state: "CLOSED", failureCount: 0, nextCallAt: null });
    expect((await admission.admit(another(call))).kind).toBe("go");
    expect(await recordOf(scope.integrationId)).toMatchObject({ state: "CLOSED" });
    expect(await eventsOf(tenant.id)).toEqual(["circuit.opened", "circuit.closed"]);
    expect(await alertsOf(tenant.id)).toEqual(["circuit.opened", "circuit.closed"]);
    const verbs = await hub.runtime.sqlSystem<{ verb: string }[]>`
      select verb from audit_log where tenant_id = ${tenant.id} and object_id = ${scope.integrationId} order by id`;
    expect(verbs.map(({ verb }) => verb)).toEqual(["circuit.trip", "circuit.trip", "circuit.reset"]);
  });

  test("answer 404 for an integration of another tenant", async () => {
    const { scope } = await makeIntegration();
    const { apiKey: key } = await hub.newTenant();
    expect((await hub.call("GET", path(scope), { key })).status).toBe(404);
    expect((await hub.call("POST", path(scope, "/trip"), { key })).status).toBe(404);
    expect((await hub.call("PUT", path(scope), { key, body: { timeoutSeconds: 9 } })).status).toBe(404);
  });
});

describe("recordCircuit()", () => {
  test("recordCircuit() announces a change once, however many processes tell of it, and never an older one", async () => {
    const { scope } = await makeIntegration();
    const announced: string[] = [];
    const snapshot = (state: "OPEN" | "HALF_OPEN" | "CLOSED", changedAtMs: number) => ({
      ...scope,
      state,
      failureCount: 5,
      successCount: 0,
      openedAtMs: changedAtMs,
      halfOpenAtMs: undefined,
      lastFailureAtMs: changedAtMs,
      lastSuccessAtMs: undefined,
      changedAtMs,
    });
    const tell = (state: "OPEN" | "HALF_OPEN" | "CLOSED", changedAtMs: number) =>
      recordCircuit(hub.runtime, snapshot(state, changedAtMs), async (_tx, { kind }) => {
        announced.push(kind);
      });
    await Promise.all(Array.from({ length: 8 }, () => tell("OPEN", 1000)));
    await tell("HALF_OPEN", 2000);
    await tell("OPEN", 3000);
    await tell("HALF_OPEN", 2000);
    expect(await recordOf(scope.integrationId)).toMatchObject({ state: "OPEN" });
    await Promise.all(Array.from({ length: 4 }, () => tell("CLOSED", 5000)));
    expect(announced).toEqual(["opened", "closed"]);
  });

  test("recordCircuit() is made up for when the process that opened the circuit died before it", async () => {
    const { tenant, scope } = await makeIntegration();
    const { admission, settle } = await gatewayAdmissionOf(hub.runtime);
    const long = Date.now() - 60_000;
    // What a process leaves that dies between the script and its record.
    await hub.runtime.redis.hset(admissionKeys(scope).state, {
      b: "OPEN",
      o: Date.now(),
      t: long,
      rt: long - 1,
    });
    expect(await admission.admit(callOf(scope))).toMatchObject({ code: "circuit_open" });
    await settle();
    expect(await eventsOf(tenant.id)).toEqual(["circuit.opened"]);
    expect(await recordOf(scope.integrationId)).toMatchObject({ state: "OPEN" });
  });
});

describe("the gateway's admission", () => {
  test("counts calls per integration and hour, and tells when a limit was met", async () => {
    const { scope } = await makeIntegration();
    const { admission, settle } = await gatewayAdmissionOf(hub.runtime);
    const call = callOf({ ...scope, quotas: [quotaOf({ limit: 3, windowMs: 60_000 })], queueTimeoutMs: 0 });
    for (let index = 0; index < 4; index++) await admission.admit(another(call));
    await settle();
    // An hour may end in between: the calls of both stand in two rows.
    const rows = await hub.runtime.sqlSystem`
      select bucket_key, sum(request_count)::int as calls, max_requests, bool_or(is_exceeded) as is_exceeded,
        extract(epoch from window_end - window_start)::int as seconds
      from rate_limit_buckets where integration_id = ${scope.integrationId} group by 1, 3, 5`;
    expect(rows.map((row) => ({ ...row }))).toEqual([
      { bucket_key: "calls", calls: 3, max_requests: 180, is_exceeded: true, seconds: 3600 },
    ]);
  });

  test(
    "opens over four processes after five failures, probes one at a time past a killed prober, closes after three",
    async () => {
      const { tenant, scope } = await makeIntegration();
      const circuitPath = `/api/v1/integrations/${scope.integrationId}/circuit`;
      await hub.call("PUT", circuitPath, { key: tenant.apiKey, body: { timeoutSeconds: 1 } });
      const state = async (): Promise<unknown> =>
        (await hub.call("GET", circuitPath, { key: tenant.apiKey })).json["state"];
      const provider = new Provider();
      const children = Array.from({ length: PROCESSES }, () =>
        Bun.spawn(
          [process.execPath, "test/circuit-breaker/calling-process.ts", JSON.stringify(scope), provider.url],
          {
            cwd: PROJECT_DIR,
            env: { PATH: process.env["PATH"] ?? "", ...hub.env },
            stdout: "ignore",
            stderr: "inherit",
          },
        ),
      );
      try {
        await until("all processes call", () => new Set(provider.asking).size >= 2 && provider.total > 50);
        provider.mode = "fails";
        await until("it is open", async () => (await state()) === "OPEN");
        await until(
          "the record follows",
          async () => (await recordOf(scope.integrationId))["state"] !== "CLOSED",
        );
        await until("calls of before have ended", () => provider.asking.length === 0);

        provider.mode = "hangs";
        provider.most = 0;
        await until("a probe is out", () => provider.asking.length === 1);
        const [prober] = provider.asking;
        const killed = children.find(({ pid }) => pid === prober)!;
        killed.kill("SIGKILL");
        provider.dead.add(killed.pid);
        await killed.exited;
        await until("another process probes", () => provider.asking.some((pid) => pid !== prober));
        expect(await state()).toBe("HALF_OPEN");
        // As soon as it is closed, all call again.
        expect(provider.most).toBe(1);
        provider.mode = "works";
        // The hanging probe ends with its process; the circuit is probed anew.
        const hanging = children.find(({ pid }) => provider.asking.includes(pid) && pid !== prober)!;
        hanging.kill("SIGKILL");
        provider.dead.add(hanging.pid);
        await hanging.exited;
        await until("it is closed", async () => (await state()) === "CLOSED");
        await until(
          "events and alerts are written",
          async () => (await alertsOf(tenant.id)).length === 2 && (await eventsOf(tenant.id)).length === 2,
        );
        expect(await eventsOf(tenant.id)).toEqual(["circuit.opened", "circuit.closed"]);
        expect(await alertsOf(tenant.id)).toEqual(["circuit.opened", "circuit.closed"]);
      } finally {
        for (const child of children) child.kill("SIGKILL");
        await Promise.all(children.map(({ exited }) => exited));
        await provider.stop();
      }
    },
    TIMEOUT_MS,
  );
});
