import type { Clock } from "../../src/platform/clock.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { createRuntime, type Runtime } from "../../src/platform/runtime.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type Context, SCOPES, systemContext } from "../../src/domain/context.ts";
import { storeBuiltIns } from "../../src/domain/providers/store-built-ins.ts";
import { storeSystemTemplates } from "../../src/domain/transformations/store-system-templates.ts";
import { createApiKey } from "../../src/domain/tenancy/create-api-key.ts";
import { createTenant } from "../../src/domain/tenancy/create-tenant.ts";
import type { CreateApiKeyInput } from "../../src/domain/tenancy/schema.ts";
import { createApp, type App } from "../../src/edge/app.ts";
import { startTestPostgres, startTestRedis } from "../support/services.ts";

/** A tenant of a test with its first key. */
export interface TestTenant {
  id: string;
  slug: string;
  apiKey: string;
  /** Acts as the hub itself for this tenant. */
  ctx: Context;
}

/** An answer, read. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  json: Record<string, unknown>;
}

export interface TestApp {
  app: App;
  runtime: Runtime;
  env: Record<string, string>;
  newTenant(): Promise<TestTenant>;
  newKey(tenant: TestTenant, input: Partial<CreateApiKeyInput>): Promise<{ id: string; key: string }>;
  /** One request in this process; `key` is sent as Bearer, a body as JSON unless it is text. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  stop(): Promise<void>;
}

export interface CallOptions {
  key?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

const ENCRYPTION_KEY = `k1:${Buffer.alloc(32, 7).toString("base64")}`;

/** The management app in this process, on a database and a Redis of its own. */
export async function startTestApp(
  options: { env?: Record<string, string>; clock?: Clock } = {},
): Promise<TestApp> {
  const [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
  const env = {
    DATABASE_URL: postgres.ownerUrl,
    DATABASE_APP_URL: postgres.appUrl,
    DATABASE_SYSTEM_URL: postgres.systemUrl,
    REDIS_URL: redis.url,
    INTEGRATION_ENCRYPTION_KEY: ENCRYPTION_KEY,
    LOG_LEVEL: "silent",
    ...options.env,
  };
  const runtime = createRuntime(loadConfig(env), "edge", options.clock ? { clock: options.clock } : {});
  await storeBuiltIns(runtime.sqlSystem);
  await storeSystemTemplates(runtime.sqlSystem);
  const app = createApp(runtime);

  async function call(
    method: string,
    path: string,
    { key, body, headers }: CallOptions = {},
  ): Promise<Answer> {
    const request = new Request(`http://localhost${path}`, {
      method,
      body: body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body),
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
    });
    const response = await app.handle(request);
    const isStream = (response.headers.get("content-type") ?? "").startsWith("text/event-stream");
    // It has no end; that it began is the answer.
    if (isStream) await response.body?.cancel();
    const text = isStream ? "" : await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "") && text !== "";
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : {} };
  }

  return {
    app,
    runtime,
    env,
    call,
    async newTenant() {
      const slug = `t${crypto.randomUUID().slice(0, 13)}`;
      const created = await createTenant(systemContext(runtime, newId(), "test", newId()), { slug });
      const ctx = systemContext(runtime, created.tenant.id, "test", newId());
      return { ...created.tenant, apiKey: created.apiKey, ctx };
    },
    newKey: (tenant, input) => createApiKey(tenant.ctx, { name: "test", ...input }),
    async stop() {
      await runtime.shutdown.run();
      await Promise.all([postgres.stop(), redis.stop()]);
    },
  };
}

/** Scopes other than the one named. */
export function scopesWithout(scope: string): (typeof SCOPES)[number][] {
  return SCOPES.filter((name) => name !== scope);
}
