import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { SubscriptionAuthorizer } from "../../src/domain/deliveries/subscription-auth.ts";
import type { SubscriptionAuth } from "../../src/domain/subscriptions/auth-config.ts";
import { makeSender } from "../egress/egress-fixture.ts";

const input = { id: "msg_1", timestampSeconds: 1_700_000_000, body: new TextEncoder().encode("{}") };

/** A token endpoint that gives out token-1, token-2, … */
let given = 0;
let answerWith: () => Response | Promise<Response>;
const seen: { authorization: string | null; form: URLSearchParams }[] = [];
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    seen.push({
      authorization: request.headers.get("authorization"),
      form: new URLSearchParams(await request.text()),
    });
    return answerWith();
  },
});
afterAll(() => server.stop(true));

const giveToken = (expiresIn?: number) => () =>
  Response.json({ access_token: `token-${++given}`, token_type: "Bearer", expires_in: expiresIn });

let nowMs = 0;
let authorizer: SubscriptionAuthorizer;
beforeEach(() => {
  given = 0;
  seen.length = 0;
  nowMs = 1_000_000;
  answerWith = giveToken(3600);
  authorizer = new SubscriptionAuthorizer({ sender: makeSender(), nowMs: () => nowMs });
});

const subscription = (auth: SubscriptionAuth, tenantId = "t1") => ({
  tenantId,
  url: "https://r.test/h?a=b",
  auth,
});
const oauth = (more: object = {}) =>
  ({
    type: "OAUTH2",
    tokenUrl: `http://127.0.0.1:${server.port}/token`,
    clientId: "client:1",
    clientSecret: "s&cret",
    scope: "a b",
    audience: "api",
    ...more,
  }) as const;

describe("SubscriptionAuthorizer.authorize()", () => {
  test("adds nothing for NONE", () => {
    expect(authorizer.authorize(subscription({ type: "NONE" }), input)).toEqual({
      ok: true,
      url: "https://r.test/h?a=b",
      headers: {},
    });
  });

  test("adds BASIC in UTF-8, with colons in the password", async () => {
    const auth = { type: "BASIC", username: "jürgen", password: "p:ä" } as const;
    const added = await authorizer.authorize(subscription(auth), input);
    expect(added).toMatchObject({
      headers: { authorization: `Basic ${Buffer.from("jürgen:p:ä").toString("base64")}` },
    });
  });

  test("adds an API key as header and in the query", async () => {
    const inHeader = await authorizer.authorize(
      subscription({ type: "API_KEY", name: "Authorization", prefix: "Token ", value: "k1" }),
      input,
    );
    expect(inHeader).toMatchObject({ headers: { authorization: "Token k1" } });
    const inQuery = await authorizer.authorize(
      subscription({ type: "API_KEY", in: "query", name: "api key", value: "k&1" }),
      input,
    );
    expect(inQuery).toMatchObject({ url: "https://r.test/h?a=b&api%20key=k%261", headers: {} });
  });

  test("adds a second HMAC header with its own secret", async () => {
    const auth = { type: "HMAC", secretKey: "own", header: "X-Mac", timestampHeader: "X-Mac-Time" } as const;
    const added = await authorizer.authorize(subscription(auth), input);
    const expected = createHmac("sha256", "own").update("1700000000.{}").digest("hex");
    expect(added).toMatchObject({ headers: { "x-mac": expected, "x-mac-time": "1700000000" } });
  });
});

describe("SubscriptionAuthorizer with OAUTH2", () => {
  const authorize = (auth = oauth(), tenantId = "t1") =>
    authorizer.authorize(subscription(auth, tenantId), input);
  const bearer = (token: string) => ({ ok: true, headers: { authorization: `Bearer ${token}` }, token });

  test("asks for one token, however many deliveries wait for it, and remembers it", async () => {
    const added = await Promise.all(Array.from({ length: 50 }, () => authorize()));
    expect(new Set(added.map((one) => one.ok && one.token))).toEqual(new Set(["token-1"]));
    expect(authorize()).toMatchObject(bearer("token-1"));
    expect(seen).toHaveLength(1);
    expect(Object.fromEntries(seen[0]!.form)).toEqual({
      grant_type: "client_credentials",
      scope: "a b",
      audience: "api",
    });
    const [, credentials] = seen[0]!.authorization!.split(" ");
    expect(Buffer.from(credentials!, "base64").toString()).toBe("client%3A1:s%26cret");
  });

  test("proves itself by form fields where that is chosen", async () => {
    await authorize(oauth({ clientAuthentication: "post" }));
    expect(seen[0]!.authorization).toBeNull();
    expect(Object.fromEntries(seen[0]!.form)).toMatchObject({
      client_id: "client:1",
      client_secret: "s&cret",
    });
  });

  test("replaces a token before it expires", async () => {
    expect(await authorize()).toMatchObject(bearer("token-1"));
    nowMs += 3_539_000;
    expect(await authorize()).toMatchObject(bearer("token-1"));
    nowMs += 2_000;
    expect(await authorize()).toMatchObject(bearer("token-2"));
  });

  test("replaces a token once after a 401, and not for a 401 to an older one", async () => {
    const target = subscription(oauth());
    const first = await authorizer.authorize(target, input);
    nowMs += 10_000;
    for (let index = 0; index < 5; index++) authorizer.rejected(target, first);
    expect(await authorize()).toMatchObject(bearer("token-2"));
    nowMs += 10_000;
    authorizer.rejected(target, first);
    expect(await authorize()).toMatchObject(bearer("token-2"));
    expect(seen).toHaveLength(2);
  });

  test("does not share tokens between tenants or credentials", async () => {
    await authorize();
    expect(await authorize(oauth(), "t2")).toMatchObject(bearer("token-2"));
    expect(await authorize(oauth({ clientSecret: "other" }))).toMatchObject(bearer("token-3"));
  });

  test.each<[string, () => Response]>([
    [
      "an error",
      () => Response.json({ error: "invalid_client", error_description: "s&cret" }, { status: 401 }),
    ],
    ["a page", () => new Response("<html>", { headers: { "content-type": "text/html" } })],
    ["no token", () => Response.json({ token_type: "Bearer" })],
    ["a token with a line break", () => Response.json({ access_token: "a\r\nb", token_type: "Bearer" })],
    ["a redirect", () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1:1/" } })],
    ["a server error", () => new Response(null, { status: 503 })],
  ])("gives a cause without a secret when the endpoint answers with %s", async (_what, respond) => {
    answerWith = respond;
    const added = await authorize();
    expect(added).toMatchObject({ ok: false, code: "oauth_token_failed" });
    expect(JSON.stringify(added)).not.toContain("s&cret");
    answerWith = giveToken();
    nowMs += 2_001;
    expect(await authorize()).toMatchObject(bearer("token-1"));
  });

  test.each<[string, () => Response]>([
    ["no type of token", () => Response.json({ access_token: "lax", expires_in: "3600" })],
    ["text/plain", () => new Response('{"access_token":"lax","expires_in":null}')],
    [
      "a form",
      () =>
        new Response("access_token=lax&expires_in=3600", {
          headers: { "content-type": "application/x-www-form-urlencoded" },
        }),
    ],
    ["201", () => Response.json({ access_token: "lax", token_type: "bearer" }, { status: 201 })],
  ])("takes a token that comes with %s", async (_what, respond) => {
    answerWith = respond;
    expect(await authorize()).toMatchObject(bearer("lax"));
  });

  test.each<[Response, string]>([
    [new Response("down", { status: 503 }), "The token endpoint answered 503"],
    [new Response("<html>"), "The token endpoint answered 200 without an access token"],
    [Response.json({ error: "invalid_scope" }), "The token endpoint answered invalid_scope"],
    [Response.json({ error: "bad s&cret" }, { status: 400 }), "The token endpoint answered 400"],
  ])("tells what the endpoint answered: %#", async (response, message) => {
    answerWith = () => response;
    expect(await authorize()).toEqual({ ok: false, code: "oauth_token_failed", message });
  });

  test("does not call a token endpoint that the address policy refuses", async () => {
    const closed = new SubscriptionAuthorizer({ sender: makeSender({ allowCidrs: [] }), nowMs: () => nowMs });
    expect(await closed.authorize(subscription(oauth()), input)).toMatchObject({ ok: false });
    expect(seen).toHaveLength(0);
  });
});
