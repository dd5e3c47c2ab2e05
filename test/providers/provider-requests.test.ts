import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { BUILT_IN_PROVIDERS } from "../../src/domain/providers/built-in-providers.ts";
import { chooseAuth } from "../../src/domain/providers/choose-auth.ts";
import { type RenderOutcome, renderRequest } from "../../src/domain/providers/request-template.ts";
import {
  tokenCallRequest,
  tokenRequest,
  tokenStepRequest,
} from "../../src/domain/providers/token-request.ts";
import { AddressPolicy } from "../../src/platform/egress/address-policy.ts";
import { Sender } from "../../src/platform/egress/send.ts";
import { manifestOfCode, VALUES } from "./provider-values.ts";
import { REQUEST_ROWS, type RequestRow } from "./request-rows.ts";
import { differenceOf } from "./strict-server.ts";

/** Stands for all providers: takes a request that is exactly the row that is expected, and refuses everything else. */
let expected: RequestRow | undefined;
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    const { pathname, search } = new URL(request.url);
    const came = {
      method: request.method,
      url: `https:/${pathname}${search}`,
      headers: request.headers,
      body: await request.text(),
    };
    const fault = expected === undefined ? "nothing is expected" : differenceOf(expected, came);
    return fault === undefined ? Response.json({ ok: true }) : new Response(fault, { status: 418 });
  },
});
let sender: Sender;
beforeAll(() => {
  sender = new Sender({ policy: new AddressPolicy({ allowCidrs: ["127.0.0.1/32"], allowHttp: true }) });
});
afterAll(async () => {
  sender.close();
  await server.stop(true);
});

function render(row: RequestRow): RenderOutcome {
  const manifest = manifestOfCode(row.code);
  const { config, credentials } = VALUES[row.code]!;
  const input = { environment: "PRODUCTION" as const, config, credentials };
  const auth = chooseAuth(manifest, config);
  if (row.what === "verify") return renderRequest(manifest, manifest.verify.request!, { ...input, auth });
  if ("step" in row.what) {
    if (auth.type !== "TOKEN_REQUEST") throw new Error("no log-in in steps");
    return tokenStepRequest(manifest, auth, row.what.step, input);
  }
  if (!("token" in auth) || auth.type === "BEARER") throw new Error("no token endpoint");
  return tokenRequest(manifest, auth, row.what, input);
}

/** The same request at the loopback server, with its host as the first segment of the path. */
const onLoopback = (url: string): string => `http://127.0.0.1:${server.port}/${url.replace("https://", "")}`;

const nameOf = ({ what }: RequestRow): string =>
  what === "verify" ? what : "step" in what ? `step ${what.step + 1}` : what.type;

describe("requests of the twelve providers", () => {
  test.each(REQUEST_ROWS.map((row) => [row.code, nameOf(row), row.mark, row] as const))(
    "%s, %s (%s): method, URL, headers and body are what the documents say",
    async (_code, _name, mark, row) => {
      const outcome = render(row);
      if (!outcome.ok) throw new Error(outcome.message);
      const { method, url, headers, body } = outcome.request;
      expect({ method, url, headers: lowerNames(headers), body }).toEqual({
        method: row.method,
        url: row.url,
        headers: lowerNames(row.headers),
        body: row.body,
      });
      expected = row;
      const answer = await sender.send({
        key: row.code,
        url: onLoopback(url),
        policy: "public",
        method,
        headers,
        ...(body === undefined ? {} : { body }),
        timeoutMs: 5_000,
      });
      if (answer.kind !== "response") throw new Error(answer.kind);
      expect(new TextDecoder().decode(answer.body)).toBe('{"ok":true}');
      expect(markOf(row.code, row.place)).toBe(mark);
    },
  );

  test("are all there: a verify request or the log-in's own, and every token endpoint", () => {
    const withVerify = new Set(REQUEST_ROWS.filter(({ what }) => what === "verify").map(({ code }) => code));
    for (const { code, verify, auth } of BUILT_IN_PROVIDERS) {
      expect(withVerify.has(code)).toBe(verify.request !== null);
      const ownRows = REQUEST_ROWS.filter((row) => row.code === code && row.what !== "verify");
      expect(ownRows.length > 0).toBe(
        "token" in auth ? auth.type !== "BEARER" : auth.type === "TOKEN_REQUEST",
      );
    }
  });

  test("the server refuses what differs in one header, one parameter or one byte", async () => {
    const row = REQUEST_ROWS.find(({ code, what }) => code === "SAMSARA" && what === "verify")!;
    expected = row;
    const send = async (url: string, headers: Record<string, string>) => {
      const answer = await sender.send({
        key: "x",
        url: onLoopback(url),
        policy: "public",
        method: "GET",
        headers,
        timeoutMs: 5_000,
      });
      return answer.kind === "response" ? answer.status : answer.kind;
    };
    expect(await send(row.url, row.headers)).toBe(200);
    expect(await send(`${row.url}?a=1`, row.headers)).toBe(418);
    expect(await send(row.url, { ...row.headers, Authorization: "bearer samsara_api_test" })).toBe(418);
    expect(await send(row.url, { ...row.headers, "X-More": "1" })).toBe(418);
  });

  test("other log-ins are chosen by their field", () => {
    const motive = manifestOfCode("KEEPTRUCKIN");
    const key = renderRequest(motive, motive.verify.request!, {
      environment: "PRODUCTION",
      config: { authMethod: "API_KEY" },
      credentials: { apiKey: "motive-key" },
      auth: chooseAuth(motive, { authMethod: "API_KEY" }),
    });
    expect(key).toMatchObject({
      ok: true,
      request: { url: "https://api.gomotive.com/v1/companies", headers: { "X-API-Key": "motive-key" } },
      secrets: ["motive-key"],
    });
    const xero = manifestOfCode("XERO");
    const auth = chooseAuth(xero, { authMethod: "CUSTOM_CONNECTION" });
    expect(auth.type).toBe("OAUTH2_CLIENT_CREDENTIALS");
    const without = renderRequest(xero, xero.verify.request!, {
      environment: "PRODUCTION",
      config: { authMethod: "CUSTOM_CONNECTION" },
      credentials: { accessToken: "t" },
      auth,
    });
    expect(without.ok && Object.keys(without.request.headers)).toEqual(["Accept", "Authorization"]);
  });

  test("tokens are ended where the provider says", () => {
    const of = (code: string) => {
      const manifest = manifestOfCode(code);
      const { config, credentials } = VALUES[code]!;
      if (manifest.auth.type !== "OAUTH2_CODE") throw new Error("no OAuth");
      const outcome = tokenCallRequest(manifest, manifest.auth.revoke!, {
        environment: "PRODUCTION",
        config,
        credentials: { ...credentials, token: "refresh&token" },
      });
      return outcome.ok ? outcome.request : outcome.message;
    };
    expect(of("QUICKBOOKS")).toMatchObject({
      url: "https://developer.api.intuit.com/v2/oauth2/tokens/revoke",
      body: '{"token":"refresh&token"}',
    });
    expect(of("SALESFORCE")).toMatchObject({
      url: "https://login.salesforce.com/services/oauth2/revoke",
      body: "token=refresh%26token&client_id=client-id&client_secret=client-secret",
    });
    expect(of("ZOHO")).toMatchObject({
      method: "POST",
      url: "https://accounts.zoho.com/oauth/v2/token/revoke?token=refresh%26token",
    });
  });

  test("values cannot become headers, parameters, members or segments", () => {
    const samsara = manifestOfCode("SAMSARA");
    const of = (apiToken: string) =>
      renderRequest(samsara, samsara.verify.request!, {
        environment: "PRODUCTION",
        config: {},
        credentials: { apiToken },
        auth: samsara.auth,
      });
    expect(of("a\r\nX-Evil: 1")).toMatchObject({ ok: false, code: "value_invalid", field: "apiToken" });
    expect(of("ключ")).toMatchObject({ ok: false, code: "value_invalid", field: "apiToken" });
    expect(of("")).toMatchObject({ ok: false, code: "missing_value", field: "apiToken" });
    expect(of("{region}")).toMatchObject({
      ok: true,
      request: { headers: { Authorization: "Bearer {region}" } },
    });
    const dat = manifestOfCode("DAT");
    if (dat.auth.type !== "TOKEN_REQUEST") throw new Error("no steps");
    const step = tokenStepRequest(dat, dat.auth, 0, {
      environment: "PRODUCTION",
      config: { serviceAccount: 'a","admin":"1' },
      credentials: { servicePassword: "{serviceAccount}" },
    });
    expect(step.ok && JSON.parse(step.request.body!)).toEqual({
      username: 'a","admin":"1',
      password: "{serviceAccount}",
    });
  });
});

function lowerNames(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** The mark of the fact with the longest pointer that covers a place. */
function markOf(code: string, place: string): string | undefined {
  const [nearest] = Object.entries(manifestOfCode(code).facts ?? {})
    .filter(([at]) => place === at || place.startsWith(`${at}/`))
    .toSorted(([one], [other]) => other.length - one.length);
  return nearest?.[1].mark;
}
