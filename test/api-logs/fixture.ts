import type { ApiLogRow } from "../../src/domain/api-logs/append-api-logs.ts";
import { type Context, SCOPES } from "../../src/domain/context.ts";
import { createTenant } from "../../src/domain/tenancy/create-tenant.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { createRuntime, type Runtime } from "../../src/platform/runtime.ts";
import { newId } from "../../src/platform/uuid.ts";
import { startTestPostgres, startTestRedis } from "../support/services.ts";

/** A runtime on real services, without any server or worker. */
export interface Fixture {
  runtime: Runtime;
  redis: Awaited<ReturnType<typeof startTestRedis>>;
  postgres: Awaited<ReturnType<typeof startTestPostgres>>;
  /** A new tenant and its all-powerful caller. */
  tenant(): Promise<Context>;
  stop(): Promise<void>;
}

export async function startFixture(env: Record<string, string> = {}, name = "worker"): Promise<Fixture> {
  const [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
  const config = loadConfig({
    DATABASE_URL: postgres.ownerUrl,
    REDIS_URL: redis.url,
    INTEGRATION_ENCRYPTION_KEY: postgres.encryptionKey,
    LOG_LEVEL: "silent",
    STREAM_PARTITIONS: "4",
    PORT: "0",
    ...env,
  });
  const runtime = createRuntime(config, name);
  return {
    runtime,
    redis,
    postgres,
    async tenant() {
      const actor = { type: "system", id: "test", scopes: new Set(SCOPES) } as const;
      const ctx: Context = { runtime, tenantId: newId(), actor, requestId: newId() };
      const { tenant } = await createTenant(ctx, { slug: `t-${newId().slice(-12)}` });
      return { ...ctx, tenantId: tenant.id, actor: { ...actor, type: "api_key" } };
    },
    async stop() {
      await runtime.shutdown.run();
      await Promise.all([redis.stop(), postgres.stop()]);
    },
  };
}

/** A log row of a call out that went well. */
export function makeRow(tenantId: string, more: Partial<ApiLogRow> = {}): ApiLogRow {
  return {
    id: newId(),
    tenantId,
    integrationId: null,
    endpointId: null,
    direction: "OUTBOUND",
    method: "GET",
    url: "https://partner.example/loads?page=1",
    path: "/loads",
    queryParams: { page: "1" },
    headers: { accept: "application/json" },
    body: null,
    bodySize: 0,
    responseStatus: 200,
    responseHeaders: null,
    responseBody: null,
    responseSize: 2,
    responseTimeMs: 12,
    correlationId: null,
    userId: null,
    sourceIp: null,
    status: "SUCCESS",
    errorMessage: null,
    retryOf: null,
    ...more,
  };
}
