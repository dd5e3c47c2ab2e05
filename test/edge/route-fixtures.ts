import type { Scope } from "../../src/domain/context.ts";
import { putEventType } from "../../src/domain/events/put-event-type.ts";
import { createEndpoint } from "../../src/domain/inbound/create-endpoint.ts";
import { createPartner } from "../../src/domain/edi/create-partner.ts";
import { sendDocument } from "../../src/domain/edi/send-document.ts";
import { createProvider } from "../../src/domain/providers/create-provider.ts";
import { putService } from "../../src/domain/services/put-service.ts";
import { rawPlace } from "../../src/domain/inbound/rejections/refused-request.ts";
import { insertRejections } from "../../src/domain/inbound/rejections/rejection-store.ts";
import { sealSecret } from "../../src/domain/vault/seal-secret.ts";
import { replayDeliveries } from "../../src/domain/deliveries/replay-deliveries.ts";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import { createTransformation } from "../../src/domain/transformations/create-transformation.ts";
import { updateTransformation } from "../../src/domain/transformations/update-transformation.ts";
import { newId, timeOfId } from "../../src/platform/uuid.ts";
import { insertProvider, keyManifest } from "../integrations/test-provider.ts";
import { oauthManifest } from "../oauth/oauth-server.ts";
import type { OAuth2CodeAuth } from "../../src/domain/providers/auth-schema.ts";
import type { ProviderManifest } from "../../src/domain/providers/manifest-schema.ts";
import { customManifest } from "../providers/custom-manifest.ts";
import type { TestApp, TestTenant } from "./app-fixture.ts";

/** How a test reaches one route: what it needs to succeed. */
export interface RouteFixture {
  /** The scope without which the route answers 403. */
  scope: Scope;
  /** Makes an object of the tenant; answers the path's parameters. Left out: the path has none. */
  make?: (hub: TestApp, tenant: TestTenant) => Promise<Record<string, string>>;
  /** A body that the route takes. */
  body?: () => unknown;
}

const makeKey: RouteFixture["make"] = async (hub, tenant) => ({
  id: (await hub.newKey(tenant, { role: "viewer" })).id,
});

const makeEndpoint: RouteFixture["make"] = async (_hub, tenant) => ({
  id: (await createEndpoint(tenant.ctx, { handlerType: "CUSTOM", signatureScheme: "github" })).id,
});

const makeApiLog: RouteFixture["make"] = async (hub, tenant) => {
  const id = newId();
  await hub.runtime.sqlSystem`
    insert into api_request_logs (id, tenant_id, direction, method, url, status, created_at)
    values (${id}, ${tenant.id}, 'INBOUND', 'POST', 'http://localhost/x', 'SUCCESS', ${new Date(timeOfId(id))})`;
  return { logId: id };
};

const makeIntegration: RouteFixture["make"] = async (hub, tenant) => {
  const id = newId();
  const manifest = uncheckedManifest(`P${id.replaceAll("-", "").toUpperCase()}`);
  const providerId = await insertProvider(hub.runtime.sqlSystem, tenant.id, manifest);
  await hub.runtime.sqlSystem`
    insert into integrations (id, tenant_id, provider_id, name, config, auth_type)
    values (${id}, ${tenant.id}, ${providerId}, 'An integration', '{}', 'NONE')`;
  return { id };
};

const makeCall: RouteFixture["make"] = async (hub, tenant) => {
  const { id } = (await makeIntegration(hub, tenant)) as { id: string };
  const callId = newId();
  const now = new Date();
  await hub.runtime.sqlSystem`
    insert into gateway_calls (id, tenant_id, integration_id, created_at, actor, correlation_id, method, target, headers,
      options, status, due_at, expires_at)
    values (${callId}, ${tenant.id}, ${id}, ${now}, '{}', 'c', 'GET', '/x', '{}', '{}', 'QUEUED', ${now}, ${now})`;
  return { id, callId };
};

/** An integration of a provider with which persons log in; nobody did. */
const makeLogIn: RouteFixture["make"] = (hub, tenant) =>
  insertIntegration(
    hub,
    tenant,
    oauthManifest({ url: "https://login.example.com" }, { code: newProviderCode() }),
  );

/** One whose tokens a machine fetches, from a token endpoint on loopback. */
const makeTokens: RouteFixture["make"] = (hub, tenant) => {
  const url = tokenServerUrl();
  const manifest = oauthManifest({ url }, { code: newProviderCode() });
  const { scopes, token, refresh, place } = manifest.auth as OAuth2CodeAuth;
  manifest.auth = {
    type: "OAUTH2_CLIENT_CREDENTIALS",
    scopes,
    token: { ...token, clientAuth: "none" },
    refresh,
    place,
  };
  return insertIntegration(hub, tenant, manifest);
};

/** One with a field whose values the provider lists. */
const makeOptions: RouteFixture["make"] = async (hub, tenant) => {
  const url = tokenServerUrl();
  const manifest = keyManifest(url, {
    code: newProviderCode(),
    auth: { type: "NONE" },
    fields: [
      {
        name: "site",
        label: "Site",
        kind: "connection",
        type: "string",
        required: false,
        options: {
          request: { method: "GET", path: "/sites" },
          items: "/items",
          value: "/id",
          label: "/name",
        },
      },
    ],
  });
  return { ...(await insertIntegration(hub, tenant, manifest)), field: "site" };
};

async function insertIntegration(
  hub: TestApp,
  tenant: TestTenant,
  manifest: ProviderManifest,
): Promise<Record<string, string>> {
  const id = newId();
  const providerId = await insertProvider(hub.runtime.sqlSystem, tenant.id, manifest);
  await hub.runtime.sqlSystem`
    insert into integrations (id, tenant_id, provider_id, name, config, auth_type)
    values (${id}, ${tenant.id}, ${providerId}, 'An integration', '{"clientId":"hub"}', 'OAUTH2')`;
  return { id };
}

let tokenServer: Bun.Server<undefined> | undefined;

/** A token endpoint that does not keep the tests' process from ending. */
function tokenServerUrl(): string {
  tokenServer ??= Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () =>
      Response.json({
        access_token: "token",
        token_type: "Bearer",
        expires_in: 600,
        items: [{ id: "s-1", name: "One" }],
      }),
  });
  tokenServer.unref();
  return `http://127.0.0.1:${tokenServer.port}`;
}

/** A provider without a log-in, whose connection needs no call to be tested. */
function uncheckedManifest(code: string) {
  return keyManifest("https://api.example.com", {
    code,
    fields: [],
    servers: [
      { environment: "PRODUCTION", baseUrl: "https://api.example.com", allowedHosts: ["api.example.com"] },
    ],
    auth: { type: "NONE" },
    verify: { request: null, expect: { status: [200] } },
    facts: {},
  });
}

const newProviderCode = (): string => `P${newId().replaceAll("-", "").toUpperCase()}`;

const makeProvider: RouteFixture["make"] = async (_hub, tenant) => ({
  code: (await createProvider(tenant.ctx, customManifest({ code: newProviderCode() }))).code,
});

/** A receipt in a final state. */
async function insertReceipt(hub: TestApp, tenant: TestTenant, status: string): Promise<string> {
  const endpoint = await createEndpoint(tenant.ctx, { handlerType: "CUSTOM", signatureScheme: "github" });
  const id = newId();
  await hub.runtime.sqlSystem`
    insert into webhook_receipts (id, tenant_id, endpoint_id, event_key, status, body, body_size, created_at)
    values (${id}, ${tenant.id}, ${endpoint.id}, 'k', ${status}, ${Buffer.from("{}")}, 2, ${new Date(timeOfId(id))})`;
  return id;
}

const makeReceipt: RouteFixture["make"] = async (hub, tenant) => ({
  id: await insertReceipt(hub, tenant, "PROCESSED"),
});

const makeRejection: RouteFixture["make"] = async (hub, tenant) => {
  const endpoint = await createEndpoint(tenant.ctx, { handlerType: "CUSTOM", signatureScheme: "github" });
  const id = newId();
  const raw = {
    method: "POST",
    target: "/webhooks/a/b",
    headers: [],
    body: "",
    receivedAtMs: Date.now(),
    scheme: null,
  };
  const rawSealed = await sealSecret(
    hub.runtime,
    hub.runtime.sqlSystem,
    rawPlace(tenant.id, id),
    JSON.stringify(raw),
  );
  await insertRejections(hub.runtime.sqlSystem, [
    {
      id,
      tenantId: tenant.id,
      endpointId: endpoint.id,
      code: "signature_invalid",
      cause: "header_missing",
      responseStatus: 401,
      method: "POST",
      path: "/webhooks/a/b",
      bodySize: 0,
      bodyState: "complete",
      rawSealed,
      sourceIp: "127.0.0.1",
      correlationId: id,
    },
  ]);
  return { id };
};

const makeDeadLetter: RouteFixture["make"] = async (hub, tenant) => {
  const [id, receiptId] = [newId(), await insertReceipt(hub, tenant, "DEAD")];
  await hub.runtime.sqlSystem`
    insert into dead_letters (id, tenant_id, topic, receipt_id, reason_code)
    values (${id}, ${tenant.id}, 'inbound', ${receiptId}, 'target_rejected')`;
  return { id };
};

/** A partner of its own each time: no two may have the same interchange ids. */
const partnerInput = () => ({
  name: "ACME Freight",
  isaQualifier: "ZZ",
  isaId: newId().slice(-12).toUpperCase(),
  ownIsaQualifier: "02",
  ownIsaId: "SCAC",
});

const makePartner: RouteFixture["make"] = async (_hub, tenant) => ({
  id: (await createPartner(tenant.ctx, partnerInput())).id,
});

const documentInput = () => ({
  sets: [{ ST: { ST01: "990" }, B1: { B101: "SCAC", B102: "L-77", B104: "A" } }],
});

const makeDocument: RouteFixture["make"] = async (hub, tenant) => {
  const { id } = (await makePartner(hub, tenant)) as { id: string };
  const document = await sendDocument(tenant.ctx, { id, body: documentInput() });
  return { id, documentId: document.id };
};

const makeService: RouteFixture["make"] = async (_hub, tenant) => {
  const { service } = await putService(tenant.ctx, {
    name: `s-${newId().slice(-12)}`,
    service: { kind: "STREAM" },
  });
  return { name: service.name };
};

const makeEvent: RouteFixture["make"] = async (hub, tenant) => {
  const id = crypto.randomUUID();
  await hub.runtime.sqlSystem`
    insert into events (id, tenant_id, type, source, payload, occurred_at, created_at)
    values (${id}, ${tenant.id}, 'order.created', 'API', ${Buffer.from("{}")}, now(), now())`;
  return { id };
};

const subscription = () => ({
  name: "A subscription",
  url: "https://receiver.example.com/hooks",
  eventTypes: ["order.*"],
});

const makeSubscription: RouteFixture["make"] = async (_hub, tenant) => ({
  id: (await createSubscription(tenant.ctx, subscription())).id,
});

/** A subscription with one failed delivery. */
const makeDelivery: RouteFixture["make"] = async (hub, tenant) => {
  const { id } = await createSubscription(tenant.ctx, subscription());
  const [attemptId, deliveryId] = [newId(), newId()];
  await hub.runtime.sqlSystem`
    insert into webhook_deliveries (id, tenant_id, subscription_id, delivery_id, event_type, event_id, request_url,
      status, created_at)
    values (${attemptId}, ${tenant.id}, ${id}, ${deliveryId}, 'order.created', ${newId()}, 'https://example.com',
      'FAILED', ${new Date(timeOfId(attemptId))})`;
  return { id, deliveryId };
};

const makeReplay: RouteFixture["make"] = async (_hub, tenant) => {
  const { id: subscriptionId } = await createSubscription(tenant.ctx, subscription());
  const { replayId } = await replayDeliveries(tenant.ctx, { subscriptionId });
  return { id: replayId! };
};

/** A mapping of one field. */
const content = () => ({
  sourceFormat: "JSON" as const,
  targetFormat: "JSON" as const,
  mappingRules: { rules: [{ target: "id", from: "id" }] },
});

const newTemplateCode = (): string => `t-${newId().slice(-12)}`;

const makeTransformation: RouteFixture["make"] = async (_hub, tenant) => ({
  id: (await createTransformation(tenant.ctx, { ...content(), code: newTemplateCode(), name: "A template" }))
    .id,
});

/** A template with two versions. */
const makeVersions: RouteFixture["make"] = async (hub, tenant) => {
  const { id } = (await makeTransformation(hub, tenant)) as { id: string };
  const mappingRules = { rules: [{ target: "number", from: "id" }] };
  await updateTransformation(tenant.ctx, { id, changes: { mappingRules } });
  return { id, version: "1" };
};

/** A template of which a version rests. */
const makePause: RouteFixture["make"] = async (hub, tenant) => {
  const { id } = (await makeTransformation(hub, tenant)) as { id: string };
  await hub.runtime.sqlSystem`
    insert into transformation_pauses (tenant_id, template_id, version, code, message, failures, pauses, paused_at,
      paused_until)
    values (${tenant.id}, ${id}, 1, 'mapping_failed', 'x', 20, 1, now(), now() + interval '1 hour')`;
  return { id };
};

/** The endpoint whose receipts the last made shadow run takes: its body names it. */
let shadowEndpointId = "";

const makeShadow: RouteFixture["make"] = async (hub, tenant) => {
  const { id } = (await makeEndpoint(hub, tenant)) as { id: string };
  shadowEndpointId = id;
  return makeTransformation(hub, tenant);
};

/** Every operation that needs a credential. The test names those that are missing here. */
export const ROUTE_FIXTURES: Readonly<Record<string, RouteFixture>> = {
  "GET /api/v1/api-keys": { scope: "keys:write" },
  "POST /api/v1/api-keys": { scope: "keys:write", body: () => ({ name: "x", scopes: ["webhooks:read"] }) },
  "DELETE /api/v1/api-keys/{id}": { scope: "keys:write", make: makeKey },
  "GET /api/v1/audit-log": { scope: "logs:read" },
  "POST /api/v1/tenants": {
    scope: "platform:admin",
    body: () => ({ slug: `t${crypto.randomUUID().slice(0, 13)}` }),
  },
  "GET /api/v1/webhooks/endpoints": { scope: "webhooks:read" },
  "POST /api/v1/webhooks/endpoints": {
    scope: "webhooks:write",
    body: () => ({ handlerType: "CUSTOM", signatureScheme: "github" }),
  },
  "GET /api/v1/webhooks/endpoints/{id}": { scope: "webhooks:read", make: makeEndpoint },
  "PUT /api/v1/webhooks/endpoints/{id}": {
    scope: "webhooks:write",
    make: makeEndpoint,
    body: () => ({ status: "PAUSED" }),
  },
  "DELETE /api/v1/webhooks/endpoints/{id}": { scope: "webhooks:write", make: makeEndpoint },
  "POST /api/v1/webhooks/endpoints/{id}/rotate-secret": {
    scope: "webhooks:write",
    make: makeEndpoint,
    body: () => ({}),
  },
  "GET /api/v1/webhooks/schemes": { scope: "webhooks:read" },
  "GET /api/v1/webhooks/receipts": { scope: "webhooks:read" },
  "GET /api/v1/webhooks/receipts/{id}": { scope: "webhooks:read", make: makeReceipt },
  "POST /api/v1/webhooks/receipts/{id}/replay": { scope: "webhooks:write", make: makeReceipt },
  "GET /api/v1/webhooks/rejections": { scope: "webhooks:read" },
  "GET /api/v1/webhooks/rejections/counts": { scope: "webhooks:read" },
  "GET /api/v1/webhooks/rejections/{id}": { scope: "webhooks:read", make: makeRejection },
  "POST /api/v1/webhooks/rejections/{id}/verify": {
    scope: "webhooks:write",
    make: makeRejection,
    body: () => ({ accept: false }),
  },
  "GET /api/v1/dead-letters": { scope: "webhooks:read" },
  "GET /api/v1/dead-letters/{id}": { scope: "webhooks:read", make: makeDeadLetter },
  "PUT /api/v1/dead-letters/{id}": {
    scope: "webhooks:write",
    make: makeDeadLetter,
    body: () => ({ body: '{"mended":true}' }),
  },
  "POST /api/v1/dead-letters/{id}/replay": { scope: "webhooks:write", make: makeDeadLetter },
  "POST /api/v1/dead-letters/replay": { scope: "webhooks:write", body: () => ({ filter: {} }) },
  "DELETE /api/v1/dead-letters/{id}": { scope: "webhooks:write", make: makeDeadLetter },
  "GET /api/v1/services/{name}": { scope: "webhooks:read", make: makeService },
  // Without an object: a name that is free for another tenant is its own to take.
  "PUT /api/v1/services/{name}": { scope: "webhooks:write", body: () => ({ kind: "STREAM" }) },
  "DELETE /api/v1/services/{name}": { scope: "webhooks:write", make: makeService },
  "GET /api/v1/edi/partners": { scope: "transformations:read" },
  "POST /api/v1/edi/partners": { scope: "transformations:write", body: partnerInput },
  "GET /api/v1/edi/partners/{id}": { scope: "transformations:read", make: makePartner },
  "PUT /api/v1/edi/partners/{id}": {
    scope: "transformations:write",
    make: makePartner,
    body: () => ({ name: "ACME" }),
  },
  "DELETE /api/v1/edi/partners/{id}": { scope: "transformations:write", make: makePartner },
  "GET /api/v1/edi/partners/{id}/documents": { scope: "transformations:read", make: makePartner },
  "POST /api/v1/edi/partners/{id}/documents": {
    scope: "transformations:write",
    make: makePartner,
    body: documentInput,
  },
  "GET /api/v1/edi/partners/{id}/documents/{documentId}": {
    scope: "transformations:read",
    make: makeDocument,
  },
  "GET /api/v1/events": { scope: "events:read" },
  "POST /api/v1/events": { scope: "events:publish", body: () => ({ type: "order.created", data: {} }) },
  "GET /api/v1/events/stream": { scope: "events:read" },
  "GET /api/v1/events/{id}": { scope: "events:read", make: makeEvent },
  "GET /api/v1/event-types": { scope: "events:read" },
  "GET /api/v1/event-types/{type}": {
    scope: "events:read",
    make: async (_hub, tenant) => {
      const type = `made.t${crypto.randomUUID()}`;
      await putEventType(tenant.ctx, { type, changes: {} });
      return { type };
    },
  },
  // Without an object: a type that another tenant described is free for this one.
  "PUT /api/v1/event-types/{type}": { scope: "events:publish", body: () => ({ description: "x" }) },
  "GET /api/v1/webhooks/subscriptions/{id}/deliveries": { scope: "webhooks:read", make: makeSubscription },
  "GET /api/v1/webhooks/subscriptions/{id}/deliveries/{deliveryId}": {
    scope: "webhooks:read",
    make: makeDelivery,
  },
  "GET /api/v1/webhooks/subscriptions/{id}/statistics": { scope: "webhooks:read", make: makeSubscription },
  "POST /api/v1/webhooks/subscriptions/{id}/test": { scope: "webhooks:write", make: makeSubscription },
  "POST /api/v1/webhooks/subscriptions/{id}/replay": {
    scope: "webhooks:write",
    make: makeSubscription,
    body: () => ({}),
  },
  "GET /api/v1/webhooks/replays/{id}": { scope: "webhooks:read", make: makeReplay },
  "POST /api/v1/webhooks/replays/{id}/cancel": { scope: "webhooks:write", make: makeReplay },
  "GET /api/v1/webhooks/subscriptions": { scope: "webhooks:read" },
  "POST /api/v1/webhooks/subscriptions": { scope: "webhooks:write", body: subscription },
  "GET /api/v1/webhooks/subscriptions/{id}": { scope: "webhooks:read", make: makeSubscription },
  "PUT /api/v1/webhooks/subscriptions/{id}": {
    scope: "webhooks:write",
    make: makeSubscription,
    body: () => ({ status: "PAUSED" }),
  },
  "DELETE /api/v1/webhooks/subscriptions/{id}": { scope: "webhooks:write", make: makeSubscription },
  "POST /api/v1/webhooks/subscriptions/{id}/pause": { scope: "webhooks:write", make: makeSubscription },
  "POST /api/v1/webhooks/subscriptions/{id}/resume": { scope: "webhooks:write", make: makeSubscription },
  "POST /api/v1/webhooks/subscriptions/{id}/rotate-secret": {
    scope: "webhooks:write",
    make: makeSubscription,
    body: () => ({}),
  },
  "GET /api/v1/api-logs/search": { scope: "logs:read" },
  "GET /api/v1/api-logs/{logId}": { scope: "logs:read", make: makeApiLog },
  "GET /api/v1/integrations/{id}/circuit": { scope: "integrations:read", make: makeIntegration },
  "PUT /api/v1/integrations/{id}/circuit": {
    scope: "integrations:write",
    make: makeIntegration,
    body: () => ({ failureThreshold: 7 }),
  },
  "POST /api/v1/integrations/{id}/circuit/reset": { scope: "integrations:write", make: makeIntegration },
  "GET /api/v1/integrations/{id}/calls/{callId}": { scope: "gateway:call", make: makeCall },
  "POST /api/v1/integrations/{id}/circuit/trip": { scope: "integrations:write", make: makeIntegration },
  "GET /api/v1/integrations": { scope: "integrations:read" },
  "POST /api/v1/integrations": {
    scope: "integrations:write",
    body: () => ({
      providerCode: "DAT",
      name: "x",
      environment: "PRODUCTION",
      config: { serviceAccount: "somebody", servicePassword: "something", userEmail: "jo@acme.example" },
    }),
  },
  "GET /api/v1/integrations/{id}": { scope: "integrations:read", make: makeIntegration },
  "PUT /api/v1/integrations/{id}": {
    scope: "integrations:write",
    make: makeIntegration,
    body: () => ({ name: "y" }),
  },
  "DELETE /api/v1/integrations/{id}": { scope: "integrations:write", make: makeIntegration },
  "POST /api/v1/integrations/{id}/test": { scope: "integrations:write", make: makeIntegration },
  "GET /api/v1/integrations/{id}/options/{field}": { scope: "integrations:write", make: makeOptions },
  "POST /api/v1/integrations/{id}/authorize": { scope: "integrations:write", make: makeLogIn },
  "POST /api/v1/integrations/{id}/refresh-oauth": { scope: "integrations:write", make: makeTokens },
  "POST /api/v1/integrations/{id}/enable": { scope: "integrations:write", make: makeIntegration },
  "POST /api/v1/integrations/{id}/disable": { scope: "integrations:write", make: makeIntegration },
  "GET /api/v1/integrations/{id}/health": { scope: "integrations:read", make: makeIntegration },
  "GET /api/v1/integrations/{id}/stats": { scope: "integrations:read", make: makeIntegration },
  "GET /api/v1/health/integrations": { scope: "integrations:read" },
  "GET /api/v1/integrations/providers": { scope: "integrations:read" },
  "POST /api/v1/integrations/providers": {
    scope: "integrations:write",
    body: () => customManifest({ code: newProviderCode() }),
  },
  "GET /api/v1/integrations/providers/{code}": { scope: "integrations:read", make: makeProvider },
  "PUT /api/v1/integrations/providers/{code}": {
    scope: "integrations:write",
    make: makeProvider,
    body: () => ({ name: "Another name" }),
  },
  "DELETE /api/v1/integrations/providers/{code}": { scope: "integrations:write", make: makeProvider },
  "GET /api/v1/integrations/{id}/logs": { scope: "logs:read", make: makeIntegration },
  "GET /api/v1/transformations": { scope: "transformations:read" },
  "POST /api/v1/transformations": {
    scope: "transformations:write",
    body: () => ({ ...content(), code: newTemplateCode(), name: "x" }),
  },
  "GET /api/v1/transformations/{id}": { scope: "transformations:read", make: makeTransformation },
  "PUT /api/v1/transformations/{id}": {
    scope: "transformations:write",
    make: makeTransformation,
    body: () => ({ name: "y" }),
  },
  "DELETE /api/v1/transformations/{id}": { scope: "transformations:write", make: makeTransformation },
  "POST /api/v1/transformations/{id}/clone": {
    scope: "transformations:write",
    make: makeTransformation,
    body: () => ({ code: newTemplateCode() }),
  },
  "POST /api/v1/transformations/{id}/resume": { scope: "transformations:write", make: makePause },
  "GET /api/v1/transformations/{id}/users": { scope: "transformations:read", make: makeTransformation },
  "GET /api/v1/transformations/{id}/versions": { scope: "transformations:read", make: makeVersions },
  "GET /api/v1/transformations/{id}/versions/{version}": {
    scope: "transformations:read",
    make: makeVersions,
  },
  "POST /api/v1/transformations/{id}/rollback": {
    scope: "transformations:write",
    make: makeVersions,
    body: () => ({ version: 1 }),
  },
  "GET /api/v1/transformations/{id}/tests": { scope: "transformations:read", make: makeTransformation },
  "PUT /api/v1/transformations/{id}/tests": {
    scope: "transformations:write",
    make: makeTransformation,
    body: () => ({ tests: [{ name: "x", input: { id: 1 }, expected: { id: 1 } }] }),
  },
  "POST /api/v1/transformations/{id}/tests/run": {
    scope: "transformations:write",
    make: makeTransformation,
    body: () => ({}),
  },
  "POST /api/v1/transformations/preview": {
    scope: "transformations:read",
    body: () => ({ ...content(), input: { id: 1 } }),
  },
  "POST /api/v1/transformations/validate": { scope: "transformations:read", body: content },
  "POST /api/v1/transformations/suggest": {
    scope: "transformations:read",
    body: () => ({ sourceFormat: "JSON", targetFormat: "JSON", source: { id: 1 }, target: { id: 1 } }),
  },
  "POST /api/v1/transformations/coverage": {
    scope: "transformations:read",
    body: () => ({ ...content(), source: { id: 1 } }),
  },
  "POST /api/v1/transformations/{id}/shadow": {
    scope: "transformations:read",
    make: makeShadow,
    body: () => ({ endpointId: shadowEndpointId, candidate: { version: 1 } }),
  },
};
