import { expect } from "bun:test";
import { Browser } from "../oauth/browser.ts";
import { CLIENT_ID, oauthManifest, startOAuthServer } from "../oauth/oauth-server.ts";
import type { CanaryHub } from "./canary-hub.ts";

const PATH = "/api/v1/integrations";

/**
 * Logs in with a real OAuth server, calls, refreshes, is refused, loses an answer, and gives the tokens back: every secret
 * that passes on the way becomes a canary. The server repeats in its errors and in its API what it was sent.
 */
export async function driveOAuth(
  hub: CanaryHub,
  caller: { slug: string; post(body: unknown): RequestInit },
): Promise<void> {
  const clientSecret = hub.secret("client secret");
  const server = await startOAuthServer({ redirectUri: `${hub.baseUrl}/oauth/callback`, clientSecret });
  server.beforeAnswer = async (ctx) => {
    const params = (ctx.oidc?.params ?? {}) as Record<string, unknown>;
    for (const slot of ["code", "code_verifier", "refresh_token"])
      if (typeof params[slot] === "string") hub.secret(`${slot} that was sent`, params[slot]);
    const answer = ctx.body as Record<string, unknown>;
    for (const slot of ["access_token", "refresh_token", "id_token"])
      if (typeof answer[slot] === "string") hub.secret(`${slot} that came`, answer[slot]);
  };
  const manifest = oauthManifest(server, { code: "LOGIN", refresh: { rotation: "none" } });
  await hub.query(`
    insert into integration_providers (tenant_id, code, name, category, config_schema, auth_type, manifest)
    select id, 'LOGIN', 'Login', 'OTHER', '{}', 'OAUTH2', '${JSON.stringify(manifest).replaceAll("'", "''")}'
    from tenants where slug = '${caller.slug}'`);
  const config = { clientId: CLIENT_ID, clientSecret };
  const made = await hub.call(PATH, caller.post({ providerCode: "LOGIN", name: "Login", config }));
  const { id } = JSON.parse(made.text) as { id: string };
  const at = `${PATH}/${id}`;
  await logIn(hub, `${at}/authorize`, caller);

  const proxied = async (path: string, options: RequestInit = {}): Promise<number> =>
    (await hub.call(`${at}/proxy${path}`, { ...caller.post({}), ...options }, { showsSecretOnce: true }))
      .status;
  // What a provider answers reaches the caller unchanged, and the log without the token.
  expect(await proxied("/echo")).toBe(200);
  const { headers } = caller.post({});
  expect(await proxied("/echo", { headers: { ...(headers as object), prefer: "respond-async" } })).toBe(202);
  // The second one is made by a worker, some time after its answer.
  await untilLogged(hub, "/api/echo", 2);
  expect((await hub.call(`${at}/refresh-oauth`, caller.post({}))).status).toBe(200);
  server.instead = async (ctx) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of ctx.req) chunks.push(chunk as Uint8Array);
    ctx.status = 400;
    ctx.body = {
      error: "invalid_client",
      error_description: `${Buffer.concat(chunks).toString()} ${ctx.get("authorization")}`,
    };
    return true;
  };
  expect((await hub.call(`${at}/refresh-oauth`, caller.post({}))).status).toBe(503);
  server.instead = (ctx) => {
    ctx.req.socket.destroy();
    return true;
  };
  expect((await hub.call(`${at}/refresh-oauth`, caller.post({}))).status).toBe(503);
  server.instead = undefined;
  for (const path of [at, `${at}/health`, `${at}/logs`, "/metrics"])
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    expect((await hub.call(path, { headers: caller.post({}).headers! })).status).toBe(200);
  expect((await hub.call(at, { ...caller.post({}), method: "DELETE", body: null })).status).toBe(204);
  // The tokens are given back after the answer; the edge is killed later on, with what it has not written.
  await untilLogged(hub, "/token/revocation", 1);
  await untilLogged(hub, "/token", 4);
  await server.stop();
}

/** Rows are written after their answers, by each process for itself. */
async function untilLogged(hub: CanaryHub, path: string, count: number): Promise<void> {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- waits
    const rows = await hub.query(`select 1 from api_request_logs where path = '${path}'`);
    if (rows.length >= count) return;
    // oxlint-disable-next-line no-await-in-loop -- waits
    await Bun.sleep(50);
  }
}

async function logIn(
  hub: CanaryHub,
  path: string,
  caller: { post(body: unknown): RequestInit },
): Promise<void> {
  const started = await hub.call(path, caller.post({}), { showsSecretOnce: true });
  const { url } = JSON.parse(started.text) as { url: string };
  hub.secret("ticket of a log-in", url.split("/").at(-1)!);
  const browser = new Browser(new Map());
  const login = await browser.open(url);
  hub.secret("cookie of a log-in", browser.cookies(hub.baseUrl)[0]!.split("=")[1]!);
  const consent = await browser.submit(login, {
    login: "someone",
    password: hub.secret("password of a person"),
  });
  const done = await browser.submit(consent);
  const states = browser.visited.map((at) => new URL(at).searchParams.get("state")).filter(Boolean);
  hub.secret("state of a log-in", states[0]!);
  expect(done.html).toContain("<h1>Connected</h1>");
  hub.keepAnswer(JSON.stringify([...done.headers]) + done.html);
}
