import type { Server } from "bun";
import { handleProxy, proxyPathOf } from "../../src/edge/gateway/handle-proxy.ts";
import type { ProviderManifest } from "../../src/domain/providers/manifest-schema.ts";
import { gatewayAdmissionOf } from "../../src/domain/gateway/gateway-admission.ts";
import { apiLogWriterOf } from "../../src/domain/api-logs/api-log-writer.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { newId } from "../../src/platform/uuid.ts";
import { sealFields } from "../../src/domain/integrations/secret-fields.ts";
import { type CallOptions, startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";
import { GOOD_KEY, insertProvider, keyManifest } from "../integrations/test-provider.ts";

/** The hub over HTTP, with what tests of calls need. */
export interface TestGateway extends TestApp {
  baseUrl: string;
  port: number;
  /** A tenant with an active integration of a provider at `url`. */
  newIntegration(url: string, more?: Partial<ProviderManifest>): Promise<TestIntegration>;
  /** Log rows of an integration, oldest first, once there are as many; a row comes after the end of its answer. */
  logsOf(id: string, countMin?: number): Promise<LogRow[]>;
}

export interface TestIntegration {
  tenant: TestTenant;
  id: string;
  /** A call through the proxy. */
  proxy(path: string, init?: RequestInit): Promise<Response>;
}

export interface LogRow {
  id: string;
  method: string;
  url: string;
  status: string;
  headers: Record<string, string>;
  body: string | null;
  bodySize: number;
  responseStatus: number | null;
  responseHeaders: Record<string, string> | null;
  responseBody: string | null;
  responseSize: number | null;
  errorCode: string | null;
  attemptNumber: number;
  retryOf: string | null;
  correlationId: string;
  timings: Record<string, number>;
  whole: string;
}

/** Starts it; providers may be on loopback. */
export async function startTestGateway(options: { env?: Record<string, string> } = {}): Promise<TestGateway> {
  const hub = await startTestApp({
    env: {
      EGRESS_ALLOW_CIDRS: "127.0.0.0/8",
      EGRESS_ALLOW_HTTP: "true",
      API_RATE_LIMIT: "100000/60",
      ...options.env,
    },
  });
  const { app, runtime } = hub;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch(request, self: Server<undefined>) {
      const path = proxyPathOf(request.url);
      return path === undefined ? app.handle(request) : handleProxy(runtime, request, self, path);
    },
  });
  const baseUrl = `http://127.0.0.1:${server.port}`;

  async function newIntegration(url: string, more: Partial<ProviderManifest> = {}): Promise<TestIntegration> {
    const tenant = await hub.newTenant();
    const providerId = await insertProvider(
      runtime.sqlSystem,
      tenant.id,
      keyManifest(url, {
        quotas: [{ name: "minute", limit: 10_000, windowSeconds: 60, scope: "integration" }],
        ...more,
      }),
    );
    const id = newId();
    const sealed = await runtime.sqlSystem.begin((tx) =>
      sealFields(runtime, tx, { id, tenantId: tenant.id }, { apiKey: GOOD_KEY }),
    );
    await runtime.sqlSystem`
      insert into integrations (id, tenant_id, provider_id, name, config, auth_type, api_key_encrypted, status)
      values (${id}, ${tenant.id}, ${providerId}, 'Acme', ${runtime.sqlSystem.json(sealed.config as never)}, 'API_KEY',
        ${sealed.apiKeyEncrypted ?? null}, 'ACTIVE')`;
    return {
      tenant,
      id,
      proxy: (path, init = {}) =>
        fetch(`${baseUrl}/api/v1/integrations/${id}/proxy${path}`, {
          redirect: "manual",
          decompress: false,
          ...init,
          headers: { authorization: `Bearer ${tenant.apiKey}`, ...(init.headers as Record<string, string>) },
        }),
    };
  }

  async function logsOf(id: string, countMin = 1): Promise<LogRow[]> {
    const written = async (): Promise<LogRow[]> => {
      const rows = await writtenLogs(id);
      if (rows.length < countMin) throw new Error(`${rows.length} of ${countMin} log rows are written`);
      return rows;
    };
    return retryUntil(written, { everyMs: 20, timeoutMs: 50_000 });
  }

  async function writtenLogs(id: string): Promise<LogRow[]> {
    await apiLogWriterOf(runtime).flush();
    const rows = await runtime.sqlSystem<
      (LogRow & { bodyBytes: Uint8Array | null; answerBytes: Uint8Array | null })[]
    >`
      select id, method, url, status, headers, body as "bodyBytes", body_size as "bodySize",
        response_status as "responseStatus", response_headers as "responseHeaders", response_body as "answerBytes",
        response_size as "responseSize", error_code as "errorCode", attempt_number as "attemptNumber",
        retry_of as "retryOf", correlation_id as "correlationId", timings
      from api_request_logs where integration_id = ${id} order by id`;
    const text = (bytes: Uint8Array | null): string | null =>
      bytes === null ? null : Buffer.from(bytes).toString();
    return rows.map(({ bodyBytes, answerBytes, ...row }) => {
      const shown = { ...row, body: text(bodyBytes), responseBody: text(answerBytes) };
      return { ...shown, whole: JSON.stringify(shown) };
    });
  }

  return {
    ...hub,
    baseUrl,
    port: server.port!,
    newIntegration,
    logsOf,
    async stop() {
      await server.stop(true);
      await (await gatewayAdmissionOf(runtime)).settle();
      await hub.stop();
    },
  };
}

/** Calls the management API as the tenant. */
export function manage(
  hub: TestApp,
  tenant: TestTenant,
  method: string,
  path: string,
  options: CallOptions = {},
) {
  return hub.call(method, path, { key: tenant.apiKey, ...options });
}
