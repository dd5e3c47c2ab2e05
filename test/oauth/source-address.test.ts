import { afterAll, beforeAll, expect, test } from "bun:test";
import { startTestApp, type TestApp } from "../edge/app-fixture.ts";
import { serveBeside } from "../gateway/served-edge.ts";
import { Browser } from "./browser.ts";
import { authorizeUrl, CALLBACK, logIn, newIntegration, PUBLIC_URL } from "./login-fixture.ts";
import { oauthManifest, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

let server: OAuthServer;

beforeAll(async () => {
  server = await startOAuthServer({ redirectUri: CALLBACK });
});
afterAll(() => server.stop());

/** A browser behind a proxy that names its address. */
function browserBehindProxy(port: number, forwardedFor: string): Browser {
  const through = async (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url);
    const headers = new Headers(request.headers);
    headers.set("x-forwarded-for", forwardedFor);
    return fetch(`http://127.0.0.1:${port}${pathname}${search}`, {
      method: request.method,
      headers,
      redirect: "manual",
    });
  };
  return new Browser(new Map([[PUBLIC_URL, through]]));
}

async function auditedAddress(hub: TestApp, forwardedFor: string): Promise<string | undefined> {
  const edge = await serveBeside(hub);
  const made = await newIntegration(hub, oauthManifest(server));
  const page = await logIn(browserBehindProxy(edge.port, forwardedFor), await authorizeUrl(hub, made));
  expect(page.html).toContain("<h1>Connected</h1>");
  await edge.stop();
  const [row] = await hub.runtime.sqlSystem<{ ip: string }[]>`
    select host(source_ip::inet) as ip from audit_log
    where object_id = ${made.id} and verb = 'integration.connect' order by id desc limit 1`;
  return row?.ip;
}

test.each([
  ["a proxy that is trusted names the person's address", "127.0.0.0/8", "198.51.100.7"],
  ["nobody else does", "", "127.0.0.1"],
])("finishLogin() audits the address of who logged in: %s", async (_name, TRUSTED_PROXIES, expected) => {
  const hub = await startTestApp({
    env: {
      PUBLIC_URL,
      EGRESS_ALLOW_CIDRS: "127.0.0.0/8",
      EGRESS_ALLOW_HTTP: "true",
      TRUSTED_PROXIES,
    },
  });
  expect(await auditedAddress(hub, "203.0.113.9, 198.51.100.7")).toBe(expected);
  await hub.stop();
});
