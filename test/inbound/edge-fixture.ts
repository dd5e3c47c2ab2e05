import { createHmac } from "node:crypto";
import type { Server } from "bun";
import { createEndpoint } from "../../src/domain/inbound/create-endpoint.ts";
import type { CreatedEndpoint, CreateEndpointInput } from "../../src/domain/inbound/endpoint-schema.ts";
import type { Context } from "../../src/domain/context.ts";
import { SCOPES } from "../../src/domain/context.ts";
import { createTenant } from "../../src/domain/tenancy/create-tenant.ts";
import { serveEdge } from "../../src/edge/serve.ts";
import type { Clock } from "../../src/platform/clock.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { inboundKeys } from "../../src/platform/redis/keys.ts";
import { createRuntime, type Runtime } from "../../src/platform/runtime.ts";
import { newId } from "../../src/platform/uuid.ts";
import { decodeInboundEntry, type InboundEntry } from "../../src/domain/events/topics.ts";
import { startTestPostgres, startTestRedis } from "../support/services.ts";

/** A whole edge in this process, on real services, with one tenant. */
export interface EdgeFixture {
  runtime: Runtime;
  server: Server<undefined>;
  baseUrl: string;
  redis: Awaited<ReturnType<typeof startTestRedis>>;
  postgres: Awaited<ReturnType<typeof startTestPostgres>>;
  ctx: Context;
  slug: string;
  /** Everything that stands in the streams, in no particular order. */
  entries(): Promise<InboundEntry[]>;
  stop(): Promise<void>;
}

/** A clock that tests can move. */
export class TestClock implements Clock {
  offsetMs = 0;
  nowMs(): number {
    return Date.now() + this.offsetMs;
  }
}

export async function startEdge(
  env: Record<string, string> = {},
  clock: Clock = new TestClock(),
): Promise<EdgeFixture> {
  const [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
  const config = loadConfig({
    DATABASE_URL: postgres.ownerUrl,
    REDIS_URL: redis.url,
    INTEGRATION_ENCRYPTION_KEY: postgres.encryptionKey,
    PORT: "0",
    LOG_LEVEL: "silent",
    STREAM_PARTITIONS: "4",
    ...env,
  });
  const runtime = createRuntime(config, "edge", { clock });
  const server = await serveEdge(runtime);
  const system: Context = {
    runtime,
    tenantId: newId(),
    actor: { type: "system", id: "test", scopes: new Set(SCOPES) },
    requestId: newId(),
  };
  const slug = `t-${newId().slice(-12)}`;
  const { tenant } = await createTenant(system, { slug });
  const ctx: Context = { ...system, tenantId: tenant.id };
  return {
    runtime,
    server,
    baseUrl: `http://127.0.0.1:${server.port}`,
    redis,
    postgres,
    ctx,
    slug,
    entries: () => readEntries(runtime),
    async stop() {
      await runtime.shutdown.run();
      await Promise.all([redis.stop(), postgres.stop()]);
    },
  };
}

async function readEntries(runtime: Runtime): Promise<InboundEntry[]> {
  const all: InboundEntry[] = [];
  for (let partition = 0; partition < runtime.config.streamPartitions; partition++) {
    const entries = await runtime.redis.xrange(inboundKeys(partition).stream, "-", "+");
    all.push(...entries.map(([, fields]) => decodeInboundEntry(fields)));
  }
  return all;
}

/** Creates an endpoint with the GitHub scheme and a known secret, unless told otherwise. */
export function makeEndpoint(
  edge: EdgeFixture,
  input: Partial<CreateEndpointInput> = {},
): Promise<CreatedEndpoint> {
  return createEndpoint(edge.ctx, {
    handlerType: "CUSTOM",
    signatureScheme: "github",
    secretKey: SECRET,
    ...input,
  });
}

export const SECRET = "It's a Secret to Everybody";

export interface GithubDelivery {
  body?: string | Uint8Array;
  id?: string;
  secret?: string;
  headers?: Record<string, string>;
}

/** Sends a webhook signed as GitHub signs it. */
export function sendGithub(
  edge: EdgeFixture,
  path: string,
  delivery: GithubDelivery = {},
): Promise<Response> {
  const body = delivery.body ?? JSON.stringify({ n: newId() });
  return fetch(`${edge.baseUrl}/webhooks/${edge.slug}/${path}`, {
    method: "POST",
    body: body as BodyInit,
    headers: {
      "content-type": "application/json",
      "x-github-event": "push",
      "x-github-delivery": delivery.id ?? newId(),
      "x-hub-signature-256": `sha256=${createHmac("sha256", delivery.secret ?? SECRET)
        .update(body)
        .digest("hex")}`,
      ...delivery.headers,
    },
  });
}
