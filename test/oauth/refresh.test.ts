import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { loadIntegration, openCredentials } from "../../src/domain/integrations/load-integration.ts";
import { integrationCacheOf } from "../../src/domain/integrations/integration-cache.ts";
import { ensureFreshToken } from "../../src/domain/oauth/ensure-fresh-token.ts";
import { refreshDue } from "../../src/domain/oauth/refresh-due.ts";
import { sendDueRevocations } from "../../src/domain/oauth/revoke-tokens.ts";
import { oauthLeaseKey } from "../../src/platform/redis/keys.ts";
import type { TestApp, TestTenant } from "../edge/app-fixture.ts";
import { PROJECT_DIR } from "../support/paths.ts";
import {
  authorizeUrl,
  CALLBACK,
  connected,
  eventTypes,
  logIn,
  newBrowser,
  newIntegration,
  startLoginHub,
} from "./login-fixture.ts";
import { oauthManifest, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

let hub: TestApp;
let server: OAuthServer;
let steady: OAuthServer;

beforeAll(async () => {
  server = await startOAuthServer({ redirectUri: CALLBACK });
  steady = await startOAuthServer({ redirectUri: CALLBACK, rotates: false });
  hub = await startLoginHub();
});
afterEach(() => {
  for (const one of [server, steady]) {
    one.beforeAnswer = undefined;
    one.instead = undefined;
    one.tokenCalls.length = 0;
  }
});
afterAll(async () => {
  await hub.stop();
  await Promise.all([server.stop(), steady.stop()]);
});

interface Made {
  tenant: TestTenant;
  id: string;
}

const load = (made: Made) => {
  integrationCacheOf(hub.runtime).invalidate(made.id);
  return loadIntegration(made.tenant.ctx, made.id);
};
const tokensOf = async (made: Made) => openCredentials(made.tenant.ctx, await load(made));
const fresh = async (made: Made, options: Parameters<typeof ensureFreshToken>[2] = {}) =>
  (await ensureFreshToken(made.tenant.ctx, await load(made), options)).credentials["accessToken"]!;
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "ok",
    (error: { code: string }) => error.code,
  );
const works = async (at: OAuthServer, token: string): Promise<boolean> =>
  (await fetch(`${at.url}/api/me`, { headers: { authorization: `Bearer ${token}` } })).ok;
const stateOf = async (made: Made) =>
  (
    await hub.runtime.sqlSystem<
      { status: string; error: string | null; tokens: unknown; refreshAt: Date | null }[]
    >`
      select status, last_error as error, oauth_tokens as tokens, oauth_refresh_at as "refreshAt"
      from integrations where id = ${made.id}`
  )[0]!;
const journalOf = async (made: Made): Promise<string[]> =>
  (
    await hub.runtime.sqlSystem<{ entry: string }[]>`
      select kind || ' ' || state || coalesce(' ' || error_code, '') as entry from oauth_refresh_journal
      where integration_id = ${made.id} order by id`
  ).map(({ entry }) => entry);
/** The token's time is over. */
async function expire(made: Made, beforeMs = -1_000): Promise<void> {
  const at = new Date(Date.now() + beforeMs);
  await hub.runtime.sqlSystem`
    update integrations set oauth_expires_at = ${at}, oauth_refresh_at = ${new Date(at.getTime() - 300_000)}
    where id = ${made.id}`;
}

/** A process with many callers that wait for `go()`. */
async function spawnCallers(made: Made, callers: number) {
  const plan = JSON.stringify({ tenantId: made.tenant.id, integrationId: made.id, callers });
  const child = Bun.spawn([process.execPath, "test/oauth/refreshing-process.ts", plan], {
    cwd: PROJECT_DIR,
    env: { PATH: process.env["PATH"] ?? "", ...hub.env },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = linesOf(child.stdout);
  if ((await lines.next()).value !== "ready") throw new Error("The process did not get ready");
  return {
    go: () => {
      child.stdin.write("go\n");
      child.stdin.flush();
    },
    tokens: async () => JSON.parse((await lines.next()).value as string) as string[],
    kill: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
    exited: child.exited,
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
  return undefined;
}

/** Holds what `lock` locks until `release()`; `waited()` resolves once somebody waits for it. */
async function holdLock(lock: string) {
  const { sqlSystem } = hub.runtime;
  const released = Promise.withResolvers<void>();
  const held = Promise.withResolvers<number>();
  const done = sqlSystem.begin(async (tx) => {
    await tx.unsafe(lock);
    const [row] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`;
    held.resolve(row!.pid);
    await released.promise;
  });
  const pid = await held.promise;
  return {
    async waited(): Promise<void> {
      const rows = () => sqlSystem`select 1 from pg_stat_activity where ${pid} = any(pg_blocking_pids(pid))`;
      for (let tries = 0; (await rows()).length === 0; tries++) {
        if (tries > 1_000) throw new Error("Nobody waits for the lock");
        await Bun.sleep(10);
      }
    },
    async release(): Promise<void> {
      released.resolve();
      await done;
    },
  };
}

/** As if the time of a dead holder's lease were over. */
const forgetLease = (made: Made) => hub.runtime.redis.del(oauthLeaseKey(made.id));

describe("ensureFreshToken()", () => {
  test("ensureFreshToken() of 4 processes with 50 callers each makes one refresh, and all have its token", async () => {
    const made = await connected(hub, server, oauthManifest(server));
    const old = (await tokensOf(made))["accessToken"]!;
    await expire(made);
    const processes = await Promise.all([1, 2, 3, 4].map(() => spawnCallers(made, 50)));
    for (const { go } of processes) go();
    const tokens = (await Promise.all(processes.map((one) => one.tokens()))).flat();
    await Promise.all(processes.map(({ exited }) => exited));
    expect(tokens).toHaveLength(200);
    expect(new Set(tokens).size).toBe(1);
    expect(tokens[0]).not.toBe(old);
    expect(await works(server, tokens[0]!)).toBe(true);
    expect(server.refreshes()).toBe(1);
    // Rotation goes on from there.
    await expire(made);
    expect(await works(server, await fresh(made))).toBe(true);
    expect(server.refreshes()).toBe(2);
    expect(await journalOf(made)).toEqual(["LOGIN STORED", "REFRESH STORED", "REFRESH STORED"]);
  }, 60_000);

  test("ensureFreshToken() asks nobody while the token is good, and serves it on while another one is fetched", async () => {
    const made = await connected(hub, server, oauthManifest(server));
    const first = await fresh(made);
    expect(server.tokenCalls).toEqual([]);
    await expire(made, 200_000);
    expect(await fresh(made)).toBe(first);
    await until(() => server.refreshes() === 1);
    await until(async () => (await tokensOf(made))["accessToken"] !== first);
  });

  test("a token that the API refused is replaced once for all who had it", async () => {
    const made = await connected(hub, server, oauthManifest(server));
    const rejectedToken = await fresh(made);
    const tokens = await Promise.all(Array.from({ length: 50 }, () => fresh(made, { rejectedToken })));
    expect(new Set(tokens).size).toBe(1);
    expect(tokens[0]).not.toBe(rejectedToken);
    expect(await fresh(made, { rejectedToken })).toBe(tokens[0]!);
    expect(server.refreshes()).toBe(1);
  });

  test("a machine's token is fetched anew, without a refresh token", async () => {
    const code = oauthManifest(server).auth as { token: object; place: object };
    const manifest = oauthManifest(server, { fields: oauthManifest(server).fields.slice(0, 2) });
    manifest.auth = {
      type: "OAUTH2_CLIENT_CREDENTIALS",
      scopes: { default: ["orders"] },
      refresh: { rotation: "none", defaultLifeSeconds: 3_600, finalErrors: [] },
      token: code.token,
      place: code.place,
    } as typeof manifest.auth;
    const made = await newIntegration(hub, manifest);
    expect(made.status).toBe("ACTIVE");
    const first = await fresh(made);
    await expire(made);
    const second = await fresh(made);
    expect(second).not.toBe(first);
    expect(await works(server, second)).toBe(true);
    expect(await journalOf(made)).toEqual(["REFRESH STORED"]);
  });
});

describe("a connection test", () => {
  test("verifyIntegration() refreshes a token that is over, and replaces one that the provider withdrew", async () => {
    const made = await connected(hub, server, oauthManifest(server));
    const ask = () => hub.call("POST", `/api/v1/integrations/${made.id}/test`, { key: made.tenant.apiKey });
    await expire(made);
    expect((await ask()).json["passed"]).toBe(true);
    expect(server.refreshes()).toBe(1);
    const { accessToken } = await tokensOf(made);
    await (await server.provider.AccessToken.find(accessToken!))!.destroy();
    expect((await ask()).json["passed"]).toBe(true);
    expect(server.refreshes()).toBe(2);
  });
});

describe("a refresh that fails", () => {
  test("invalid_grant is final: PENDING_AUTH, told once, and nothing is sent again; a new log-in mends it", async () => {
    const made = await connected(hub, server, oauthManifest(server));
    const { refreshToken } = await tokensOf(made);
    await (await server.provider.RefreshToken.find(refreshToken!))!.destroy();
    await expire(made);
    expect(await codeOf(fresh(made))).toBe("reauthorization_required");
    expect(await codeOf(fresh(made))).toBe("reauthorization_required");
    expect(server.refreshes()).toBe(1);
    expect(await stateOf(made)).toMatchObject({
      status: "PENDING_AUTH",
      tokens: null,
      error: expect.stringContaining("invalid_grant"),
    });
    expect(await eventTypes(hub, made.tenant)).toEqual([
      "integration.created",
      "integration.connected",
      "integration.disconnected",
    ]);
    const refreshed = await hub.call("POST", `/api/v1/integrations/${made.id}/refresh-oauth`, {
      key: made.tenant.apiKey,
    });
    expect([refreshed.status, refreshed.json["code"]]).toEqual([409, "reauthorization_required"]);
    expect((await logIn(newBrowser(hub), await authorizeUrl(hub, made))).html).toContain(
      "<h1>Connected</h1>",
    );
    expect((await stateOf(made)).status).toBe("ACTIVE");
    expect(await works(server, await fresh(made))).toBe(true);
  });

  test("a form is read like JSON where a token endpoint answers with one", async () => {
    const made = await connected(hub, server, oauthManifest(server));
    server.instead = (ctx) => {
      ctx.type = "application/x-www-form-urlencoded; charset=utf-8";
      ctx.body = "access_token=at%2Dform&token_type=bearer&expires_in=3600&refresh_token=rt-form";
      return true;
    };
    const answer = await hub.call("POST", `/api/v1/integrations/${made.id}/refresh-oauth`, {
      key: made.tenant.apiKey,
    });
    expect([answer.status, answer.json["status"]]).toEqual([200, "ACTIVE"]);
    expect(await fresh(made)).toBe("at-form");
  });

  test.each<[string, number, string]>([
    ["an outage", 503, '{"error":"temporarily_unavailable"}'],
    ["an HTML page", 200, "<html>maintenance</html>"],
    ["a limit", 429, "{}"],
  ])(
    "%s keeps the tokens, is tried again later, and a token that still lives serves on",
    async (_name, status, body) => {
      const made = await connected(hub, server, oauthManifest(server));
      const first = await fresh(made);
      let asked = 0;
      server.instead = (ctx) => {
        asked++;
        ctx.status = status;
        ctx.body = body;
        return true;
      };
      await expire(made, 30_000);
      expect(await fresh(made)).toBe(first);
      await hub.runtime.sqlSystem`
        update oauth_refresh_journal set retry_at = now() + interval '10 minutes'
        where integration_id = ${made.id} and retry_at is not null`;
      await expire(made);
      expect(await codeOf(fresh(made))).toBe("token_unavailable");
      expect(await codeOf(fresh(made))).toBe("token_unavailable");
      // The second caller met the pause after the failure.
      expect(asked).toBe(1);
      expect((await stateOf(made)).status).toBe("ACTIVE");
      server.instead = undefined;
      const answer = await hub.call("POST", `/api/v1/integrations/${made.id}/refresh-oauth`, {
        key: made.tenant.apiKey,
      });
      expect([answer.status, answer.json["status"]]).toEqual([200, "ACTIVE"]);
      expect(await works(server, await fresh(made))).toBe(true);
    },
  );

  test("a client secret that is wrong is the configuration's fault: ERROR once the token is over, tokens kept", async () => {
    const made = await connected(hub, server, oauthManifest(server));
    await hub.call("PUT", `/api/v1/integrations/${made.id}`, {
      key: made.tenant.apiKey,
      body: { config: { clientSecret: "another-secret-than-before" } },
    });
    await expire(made);
    expect(await codeOf(fresh(made))).toBe("token_unavailable");
    expect(await stateOf(made)).toMatchObject({
      status: "ERROR",
      error: expect.stringContaining("invalid_client"),
    });
    expect((await stateOf(made)).tokens).not.toBeNull();
  });

  test("an answer that is lost ends the connection where refresh tokens rotate, and is asked for again where not", async () => {
    const cut = async (ctx: { req: { socket: { destroy(): void } } }) => ctx.req.socket.destroy();
    const rotating = await connected(hub, server, oauthManifest(server));
    await expire(rotating);
    server.beforeAnswer = cut as never;
    expect(await codeOf(fresh(rotating))).toBe("reauthorization_required");
    expect(await stateOf(rotating)).toMatchObject({
      status: "PENDING_AUTH",
      error: expect.stringContaining("refresh_outcome_unknown"),
    });
    expect(server.refreshes()).toBe(1);
    for (const refresh of [{ rotation: "none" }, { reuseGraceSeconds: 1_800 }]) {
      const made = await connected(hub, steady, oauthManifest(steady, { refresh }));
      await expire(made);
      steady.beforeAnswer = cut as never;
      expect(await codeOf(fresh(made))).toBe("token_unavailable");
      expect((await stateOf(made)).status).toBe("ACTIVE");
      steady.beforeAnswer = undefined;
      expect(await works(steady, await fresh(made, { force: true }))).toBe(true);
    }
  });

  test("the token endpoint's limit is kept, and told with the time to wait", async () => {
    const quota = { limit: 2, windowSeconds: 600 };
    const made = await connected(
      hub,
      steady,
      oauthManifest(steady, { refresh: { rotation: "none", quota } }),
    );
    await fresh(made, { force: true });
    const answer = await hub.call("POST", `/api/v1/integrations/${made.id}/refresh-oauth`, {
      key: made.tenant.apiKey,
    });
    expect([answer.status, answer.json["code"]]).toEqual([503, "token_unavailable"]);
    expect(answer.json["detail"]).toContain("token_limit");
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(500);
    // The log-in counted too.
    expect(steady.refreshes()).toBe(1);
  });
});

describe("a process that is killed", () => {
  test("killed before the request: no token is lost, and nothing was sent", async () => {
    const made = await connected(hub, server, oauthManifest(server));
    await expire(made);
    const lock = await holdLock(`select 1 from integrations where id = '${made.id}' for update`);
    const child = await spawnCallers(made, 3);
    child.go();
    await lock.waited();
    await child.kill();
    await lock.release();
    expect(server.refreshes()).toBe(0);
    await forgetLease(made);
    expect(await works(server, await fresh(made))).toBe(true);
    expect(await journalOf(made)).toEqual(["LOGIN STORED", "REFRESH STORED"]);
  }, 60_000);

  test("killed between the answer and its first commit: the journal tells, and the old token is not sent again", async () => {
    const made = await connected(hub, server, oauthManifest(server));
    await expire(made);
    let lock: Awaited<ReturnType<typeof holdLock>> | undefined;
    server.beforeAnswer = async () => {
      lock = await holdLock("lock table oauth_refresh_journal in exclusive mode");
    };
    const child = await spawnCallers(made, 3);
    child.go();
    await until(() => lock !== undefined);
    await lock!.waited();
    await child.kill();
    await lock!.release();
    server.beforeAnswer = undefined;
    await forgetLease(made);
    expect(await journalOf(made)).toEqual(["LOGIN STORED", "REFRESH STARTED"]);
    expect(await codeOf(fresh(made))).toBe("reauthorization_required");
    expect(server.refreshes()).toBe(1);
    expect(await stateOf(made)).toMatchObject({
      status: "PENDING_AUTH",
      tokens: null,
      error: expect.stringContaining("refresh_outcome_unknown"),
    });
    expect(await journalOf(made)).toEqual(["LOGIN STORED", "REFRESH FAILED refresh_outcome_unknown"]);
  }, 60_000);

  test("killed between the journal and the row: the answer is stored from the journal, by the worker too", async () => {
    const made = await connected(hub, server, oauthManifest(server));
    await expire(made);
    let lock: Awaited<ReturnType<typeof holdLock>> | undefined;
    server.beforeAnswer = async () => {
      lock = await holdLock(`select 1 from integrations where id = '${made.id}' for update`);
    };
    const child = await spawnCallers(made, 3);
    child.go();
    await until(() => lock !== undefined);
    await lock!.waited();
    await child.kill();
    await lock!.release();
    server.beforeAnswer = undefined;
    await forgetLease(made);
    expect(await journalOf(made)).toEqual(["LOGIN STORED", "REFRESH ANSWERED"]);
    await refreshDue(hub.runtime, () => true);
    expect(await journalOf(made)).toEqual(["LOGIN STORED", "REFRESH STORED"]);
    expect(await works(server, await fresh(made))).toBe(true);
    await expire(made);
    expect(await works(server, await fresh(made))).toBe(true);
  }, 60_000);

  test("killed after the commit: the new tokens are there", async () => {
    const made = await connected(hub, server, oauthManifest(server));
    const old = (await tokensOf(made))["accessToken"]!;
    await expire(made);
    const child = await spawnCallers(made, 3);
    child.go();
    await until(async () => (await journalOf(made)).includes("REFRESH STORED"));
    await child.kill();
    const token = await fresh(made);
    expect(token).not.toBe(old);
    expect(await works(server, token)).toBe(true);
    expect(server.refreshes()).toBe(1);
    await forgetLease(made);
    await expire(made);
    expect(await works(server, await fresh(made))).toBe(true);
  }, 60_000);

  test("who finds another process at it looks on and never sends", async () => {
    const made = await connected(hub, server, oauthManifest(server));
    await expire(made);
    const gate = Promise.withResolvers<void>();
    server.beforeAnswer = () => gate.promise;
    const child = await spawnCallers(made, 1);
    child.go();
    await until(() => server.refreshes() === 1);
    const waiting = fresh(made);
    await Bun.sleep(300);
    gate.resolve();
    const [token] = await child.tokens();
    expect(await waiting).toBe(token!);
    expect(server.refreshes()).toBe(1);
  }, 60_000);
});

describe("refreshDue() and the end of an integration", () => {
  test("refreshDue() replaces what is due, moves the time, and leaves paused integrations alone", async () => {
    const [due, paused] = [
      await connected(hub, server, oauthManifest(server)),
      await connected(hub, server, oauthManifest(server)),
    ];
    await hub.call("POST", `/api/v1/integrations/${paused.id}/disable`, { key: paused.tenant.apiKey });
    await expire(due, 60_000);
    await expire(paused, 60_000);
    await Promise.all([refreshDue(hub.runtime, () => true), refreshDue(hub.runtime, () => true)]);
    expect(await journalOf(due)).toEqual(["LOGIN STORED", "REFRESH STORED"]);
    expect(await journalOf(paused)).toEqual(["LOGIN STORED"]);
    expect((await stateOf(due)).refreshAt!.getTime()).toBeGreaterThan(Date.now() + 50 * 60_000);
    await refreshDue(hub.runtime, () => true);
    expect(await journalOf(due)).toHaveLength(2);
  });

  test("deleting an integration gives its tokens back, also when the provider is away at first", async () => {
    const made = await connected(hub, server, oauthManifest(server));
    const { refreshToken, accessToken } = await tokensOf(made);
    const remove = (one: Made) =>
      hub.call("DELETE", `/api/v1/integrations/${one.id}`, { key: one.tenant.apiKey });
    expect((await remove(made)).status).toBe(204);
    await until(async () => (await server.provider.RefreshToken.find(refreshToken!)) === undefined);
    expect(await works(server, accessToken!)).toBe(false);
    const away = await startOAuthServer({ redirectUri: CALLBACK });
    const other = await connected(hub, away, oauthManifest(away));
    await away.stop();
    expect((await remove(other)).status).toBe(204);
    await until(async () => {
      const [row] = await hub.runtime.sqlSystem<{ attempts: number; text: string }[]>`
        select attempts, j::text as text from oauth_refresh_journal j where integration_id = ${other.id} and kind = 'REVOKE'`;
      return row?.attempts === 1;
    });
    expect(await journalOf(other)).toContain("REVOKE STARTED");
    await hub.runtime.sqlSystem`
      update oauth_refresh_journal set retry_at = now() - interval '1 second', created_at = now() - interval '25 hours'
      where integration_id = ${other.id} and kind = 'REVOKE'`;
    expect(await sendDueRevocations(hub.runtime, () => true)).toBe(1);
    expect((await journalOf(other)).at(-1)).toStartWith("REVOKE FAILED");
  });
});

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 50_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error("Waited too long");
    // oxlint-disable-next-line no-await-in-loop -- asked again and again
    await Bun.sleep(10);
  }
}
