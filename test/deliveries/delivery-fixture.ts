import type { Server } from "bun";
import type { Context } from "../../src/domain/context.ts";
import { SCOPES } from "../../src/domain/context.ts";
import { EventPublisher } from "../../src/domain/events/event-publisher.ts";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import type { CreatedSubscription, CreateSubscriptionInput } from "../../src/domain/subscriptions/schema.ts";
import { createTenant } from "../../src/domain/tenancy/create-tenant.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { createRuntime, type Runtime } from "../../src/platform/runtime.ts";
import { newId } from "../../src/platform/uuid.ts";
import { deliveries } from "../../workers/deliveries.ts";
import { fanOut } from "../../workers/fan-out.ts";
import { PROJECT_DIR } from "../support/paths.ts";
import { startTestPostgres, startTestRedis, type TestPostgres, type TestRedis } from "../support/services.ts";

/** Far longer than anything takes here; shorter than a test, so that the failure has a name. */
const WAIT_MS = 50_000;

/** Real services and one tenant; workers are started by each test as it needs them. */
export interface DeliveryFixture {
  runtime: Runtime;
  postgres: TestPostgres;
  redis: TestRedis;
  ctx: Context;
  env: Record<string, string>;
  publish(events: readonly TestEvent[], tenant?: Context): Promise<string[]>;
  subscribe(url: string, input?: Partial<CreateSubscriptionInput>): Promise<CreatedSubscription>;
  stop(): Promise<void>;
}

export interface TestEvent {
  id?: string;
  type?: string;
  orderingKey?: string;
  data?: unknown;
}

export async function startDeliveries(env: Record<string, string> = {}): Promise<DeliveryFixture> {
  const [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
  const settings = {
    DATABASE_URL: postgres.ownerUrl,
    REDIS_URL: redis.url,
    INTEGRATION_ENCRYPTION_KEY: postgres.encryptionKey,
    LOG_LEVEL: process.env["TEST_LOG_LEVEL"] ?? "silent",
    STREAM_PARTITIONS: "4",
    EGRESS_ALLOW_CIDRS: "127.0.0.0/8",
    EGRESS_ALLOW_HTTP: "true",
    ...env,
  };
  const runtime = createRuntime(loadConfig(settings), "worker");
  const ctx = await freshTenant(runtime);
  const publisher = new EventPublisher(runtime, {
    refusal: () => undefined,
    isNearCapacity: () => false,
  });
  return {
    runtime,
    postgres,
    redis,
    ctx,
    env: settings,
    async publish(events, tenant = ctx) {
      const items = events.map(({ id = newId(), type = "order.created", orderingKey, data = { n: 1 } }) => {
        const text = JSON.stringify(data);
        return {
          event: {
            id,
            type,
            orderingKey,
            externalId: undefined,
            schemaVersion: undefined,
            occurredAt: Date.now(),
            data: text,
            dataSize: Buffer.byteLength(text),
          },
          source: "API" as const,
        };
      });
      const receipts = await publisher.publish(tenant.tenantId, items);
      return receipts.map(({ id }) => id);
    },
    async subscribe(url, input = {}) {
      const made = await createSubscription(ctx, { name: "test", url, eventTypes: ["order.*"], ...input });
      // Workers hear of it by pub/sub, which a Cluster passes on over its own bus.
      if ("nodes" in runtime.redis) await Bun.sleep(100);
      return made;
    },
    async stop() {
      await runtime.shutdown.run();
      await Promise.all([redis.stop(), postgres.stop()]);
    },
  };
}

export async function freshTenant(runtime: Runtime): Promise<Context> {
  const system: Context = {
    runtime,
    tenantId: newId(),
    actor: { type: "system", id: "test", scopes: new Set(SCOPES) },
    requestId: newId(),
  };
  const { tenant } = await createTenant(system, { slug: `t-${newId().slice(-12)}` });
  return { ...system, tenantId: tenant.id };
}

/** Both consumers in this process, on a runtime of their own. */
export async function startWorker(
  fixture: DeliveryFixture,
  env: Record<string, string> = {},
): Promise<{ runtime: Runtime; stop(): Promise<void> }> {
  const runtime = createRuntime(loadConfig({ ...fixture.env, ...env }), "worker");
  const sending = await deliveries.start(runtime);
  const fanning = await fanOut.start(runtime);
  return {
    runtime,
    async stop() {
      await fanning.stop();
      await sending.stop();
      await runtime.shutdown.run();
    },
  };
}

/** Both consumers as a process of their own. */
export async function startWorkerProcess(
  fixture: DeliveryFixture,
  env: Record<string, string> = {},
): Promise<{ pid: number; kill(): Promise<void>; stop(): Promise<number> }> {
  const child = Bun.spawn([process.execPath, "workers/main.ts", "--only", "deliveries,fan-out,scheduler"], {
    cwd: PROJECT_DIR,
    env: { PATH: process.env["PATH"] ?? "", ...fixture.env, LOG_LEVEL: "info", ...env },
    stdout: "pipe",
    stderr: "inherit",
  });
  let output = "";
  void (async () => {
    for await (const chunk of child.stdout as unknown as AsyncIterable<Uint8Array>)
      output += Buffer.from(chunk);
  })();
  await retryUntil(
    async () => {
      if (!output.includes("worker is running")) throw new Error(`worker did not start:\n${output}`);
    },
    { everyMs: 20, timeoutMs: WAIT_MS },
  );
  return {
    pid: child.pid,
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
    },
    async stop() {
      child.kill("SIGTERM");
      await child.exited;
      return child.exitCode ?? -1;
    },
  };
}

/** Waits until the condition holds. @throws Error that names it when it does not come true */
export function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = WAIT_MS,
): Promise<void> {
  const attempt = async (): Promise<void> => {
    if (!(await holds())) throw new Error(`Not within ${timeoutMs / 1000} s: ${what}`);
  };
  return retryUntil(attempt, { everyMs: 10, timeoutMs });
}

export interface ReceivedRequest {
  id: string;
  headers: Headers;
  body: string;
  atMs: number;
}

/** A receiver of webhooks in this process that answers as it is told. */
export class Receiver {
  readonly requests: ReceivedRequest[] = [];
  answer: (request: ReceivedRequest) => Response | Promise<Response> = () => new Response();
  readonly #server: Server<undefined>;

  constructor() {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 60,
      fetch: async (incoming) => {
        const { headers } = incoming;
        const request = {
          id: headers.get("webhook-id") ?? "",
          headers,
          body: await incoming.text(),
          atMs: performance.now(),
        };
        this.requests.push(request);
        return this.answer(request);
      },
    });
  }

  get url(): string {
    return `${this.#server.url.href}hook`;
  }

  /** Ids in the order of their coming, repetitions included. */
  ids(): string[] {
    return this.requests.map(({ id }) => id);
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
}

export interface StoredAttempt {
  deliveryId: string;
  eventId: string;
  attemptNumber: number;
  status: string;
  responseStatus: number | null;
  errorCode: string | null;
  errorMessage: string | null;
  trigger: string;
  nextRetryAt: Date | null;
  createdAt: Date;
}

/** Attempts of a subscription, oldest first. */
export function attemptsOf(fixture: DeliveryFixture, subscriptionId: string): Promise<StoredAttempt[]> {
  return fixture.runtime.sqlSystem<StoredAttempt[]>`
    select delivery_id as "deliveryId", event_id as "eventId", attempt_number as "attemptNumber", status,
      response_status as "responseStatus", error_code as "errorCode", error_message as "errorMessage", trigger,
      next_retry_at as "nextRetryAt", created_at as "createdAt"
    from webhook_deliveries where subscription_id = ${subscriptionId} order by id`;
}

/** Open deliveries of a subscription. */
export async function openOf(
  fixture: DeliveryFixture,
  subscriptionId: string,
): Promise<{ status: string; attemptCount: number }[]> {
  return fixture.runtime.sqlSystem<{ status: string; attemptCount: number }[]>`
    select status, attempt_count as "attemptCount" from open_deliveries where subscription_id = ${subscriptionId}`;
}
