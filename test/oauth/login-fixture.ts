import type { ProviderManifest } from "../../src/domain/providers/manifest-schema.ts";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import { startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";
import { insertProvider } from "../integrations/test-provider.ts";
import { Browser, type Page } from "./browser.ts";
import { CLIENT_ID, CLIENT_SECRET, type OAuthServer } from "./oauth-server.ts";

/** PUBLIC_URL of the hub that runs in the test's own process. */
export const PUBLIC_URL = "http://hub.test:8080";
export const CALLBACK = `${PUBLIC_URL}/oauth/callback`;

export function startLoginHub(clock?: { nowMs(): number }): Promise<TestApp> {
  return startTestApp({
    env: {
      PUBLIC_URL,
      EGRESS_ALLOW_CIDRS: "127.0.0.0/8",
      EGRESS_ALLOW_HTTP: "true",
      API_RATE_LIMIT: "100000/60",
    },
    ...(clock === undefined ? {} : { clock }),
  });
}

export const newBrowser = (hub: TestApp): Browser =>
  new Browser(new Map([[PUBLIC_URL, async (request: Request) => hub.app.handle(request)]]));

/** A tenant, subscribed to all events, with an integration of the manifest that nobody has logged in with. */
export async function newIntegration(
  hub: TestApp,
  manifest: ProviderManifest,
  more: Record<string, unknown> = {},
): Promise<{ tenant: TestTenant; id: string; status: string }> {
  const tenant = await hub.newTenant();
  await insertProvider(hub.runtime.sqlSystem, tenant.id, manifest);
  await createSubscription(tenant.ctx, { name: "all", url: "http://127.0.0.1:9/x", eventTypes: ["*"] });
  const answer = await hub.call("POST", "/api/v1/integrations", {
    key: tenant.apiKey,
    body: {
      providerCode: manifest.code,
      name: "Acme",
      config: { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET },
      ...more,
    },
  });
  if (answer.status !== 201) throw new Error(answer.text);
  return { tenant, id: answer.json["id"] as string, status: answer.json["status"] as string };
}

/** The address that begins a log-in. */
export async function authorizeUrl(
  hub: TestApp,
  { tenant, id }: { tenant: TestTenant; id: string },
  body?: unknown,
): Promise<string> {
  const answer = await hub.call("POST", `/api/v1/integrations/${id}/authorize`, {
    key: tenant.apiKey,
    ...(body === undefined ? {} : { body }),
  });
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.json["url"] as string;
}

/** Logs in at the OAuth server and consents; ends where its redirect leads, or just before with `stopAt`. */
export async function logIn(browser: Browser, url: string, stopAt?: string): Promise<Page> {
  const login = await browser.open(url);
  const consent = await browser.submit(login, { login: "someone", password: "x" });
  return browser.submit(consent, {}, stopAt);
}

/** An integration that somebody has logged in with. */
export async function connected(
  hub: TestApp,
  server: OAuthServer,
  manifest: ProviderManifest,
): Promise<{ tenant: TestTenant; id: string }> {
  const made = await newIntegration(hub, manifest);
  const page = await logIn(newBrowser(hub), await authorizeUrl(hub, made));
  if (page.status !== 200 || !page.html.includes("<h1>Connected</h1>"))
    throw new Error(`${page.url}\n${page.html}`);
  server.tokenCalls.length = 0;
  return made;
}

/** Types of the events that were published for a tenant. */
export async function eventTypes(hub: TestApp, tenant: TestTenant): Promise<string[]> {
  const rows = await hub.runtime.sqlSystem<{ type: string }[]>`
    select event_type as type from outbox where tenant_id = ${tenant.id} order by id`;
  return rows.map(({ type }) => type);
}
