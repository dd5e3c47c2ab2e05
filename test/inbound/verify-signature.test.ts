import { afterAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { compileChallenges } from "../../src/domain/inbound/schemes/compile-challenges.ts";
import { findScheme } from "../../src/domain/inbound/schemes/registry.ts";
import type { Scheme, SchemeSettings, SignedRequest } from "../../src/domain/inbound/schemes/scheme.ts";
import { compileSource, compileVerifier } from "../../src/domain/inbound/verify-signature.ts";
import { hmacText, NOW_MS, requestOf } from "./schemes/signed-requests.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const BODY = '{"a":1}';
const SECONDS = Math.floor(NOW_MS / 1000);

function judge(
  scheme: string,
  headers: Record<string, string>,
  more: {
    settings?: SchemeSettings;
    secrets?: string[];
    query?: string;
    body?: string;
    change?: Partial<SignedRequest>;
  } = {},
) {
  const { settings = {}, secrets = [SECRET], query = "", body = BODY, change } = more;
  return compileVerifier(findScheme(scheme)!, settings, secrets)(requestOf({ headers, query, body }, change));
}

describe("compileVerifier() of hmac", () => {
  const settings = (signatureAlgorithm: string, signatureSettings: Record<string, unknown> = {}) => ({
    signatureAlgorithm,
    signatureSettings,
  });

  test("takes every hash in every encoding", () => {
    for (const hash of ["sha1", "sha256", "sha512"]) {
      for (const encoding of ["hex", "base64", "base64url"] as const) {
        const headers = { "x-signature": hmacText(SECRET, BODY, encoding, hash) };
        expect(judge("hmac", headers, { settings: settings(`HMAC-${hash}-${encoding}`) })).toEqual({
          ok: true,
        });
        expect(judge("hmac", headers, { settings: settings(hash, { encoding }) })).toEqual({ ok: true });
      }
    }
  });

  test("takes hex in small letters or in capitals, never mixed", () => {
    const signature = hmacText(SECRET, BODY);
    expect(judge("hmac", { "x-signature": signature.toUpperCase() })).toEqual({ ok: true });
    const letter = signature.search(/[a-f]/);
    const mixed = signature.slice(0, letter) + signature[letter]!.toUpperCase() + signature.slice(letter + 1);
    expect(judge("hmac", { "x-signature": mixed })).toEqual({ ok: false, cause: "mismatch" });
  });

  test("takes only the canonical spelling of base64, and base64url with its padding or without", () => {
    const signature = hmacText(SECRET, BODY, "base64");
    const base64 = { settings: settings("SHA256-BASE64") };
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const last = alphabet[alphabet.indexOf(signature[42]!) + 1]!;
    const sameBytes = `${signature.slice(0, 42)}${last}=`;
    expect(Buffer.from(sameBytes, "base64")).toEqual(Buffer.from(signature, "base64"));
    for (const wrong of [
      sameBytes,
      signature.slice(0, 43),
      `${signature}=`,
      `${signature.slice(0, 20)} ${signature.slice(20)}`,
    ]) {
      expect(judge("hmac", { "x-signature": wrong }, base64).ok).toBe(false);
    }
    const url = hmacText(SECRET, BODY, "base64url");
    expect(judge("hmac", { "x-signature": `${url}=` }, { settings: settings("SHA256-BASE64URL") })).toEqual({
      ok: true,
    });
    expect(judge("hmac", { "x-signature": `${url}==` }, { settings: settings("SHA256-BASE64URL") }).ok).toBe(
      false,
    );
  });

  test("refuses a signature of another hash, and one that only begins right", () => {
    expect(judge("hmac", { "x-signature": hmacText(SECRET, BODY, "hex", "sha512") }).ok).toBe(false);
    expect(judge("hmac", { "x-signature": hmacText(SECRET, BODY).slice(0, 32) }).ok).toBe(false);
  });

  test("accepts an empty body and one that is no UTF-8, over its exact bytes", () => {
    const rawBody = new Uint8Array([0xef, 0xbb, 0xbf, 0xff, 0x00, 0xc3]);
    const signature = new Bun.CryptoHasher("sha256", SECRET).update(rawBody).digest("hex");
    expect(judge("hmac", { "x-signature": signature }, { change: { rawBody } })).toEqual({ ok: true });
    expect(judge("hmac", { "x-signature": signature }, { change: { rawBody: rawBody.slice(3) } }).ok).toBe(
      false,
    );
    expect(judge("hmac", { "x-signature": hmacText(SECRET, "") }, { body: "" })).toEqual({ ok: true });
  });

  test("tells the operator why", () => {
    const timed = { settings: settings("SHA256", { timestampHeader: "X-Time", prefix: "v1=" }) };
    const signed = (time: number) => ({
      "x-signature": `v1=${hmacText(SECRET, `${time}.${BODY}`)}`,
      "x-time": String(time),
    });
    const { "x-signature": signature } = signed(SECONDS);
    expect(judge("hmac", signed(SECONDS), timed)).toEqual({ ok: true });
    expect(judge("hmac", signed(SECONDS - 301), timed)).toEqual({ ok: false, cause: "timestamp_stale" });
    expect(judge("hmac", signed(SECONDS + 301), timed)).toEqual({ ok: false, cause: "timestamp_future" });
    expect(judge("hmac", { "x-signature": signature }, timed)).toEqual({
      ok: false,
      cause: "header_missing",
    });
    expect(judge("hmac", { "x-signature": signature, "x-time": "soon" }, timed)).toEqual({
      ok: false,
      cause: "malformed",
    });
    expect(judge("hmac", { ...signed(SECONDS), "x-signature": signature.slice(3) }, timed)).toEqual({
      ok: false,
      cause: "unknown_version",
    });
    expect(judge("hmac", { ...signed(SECONDS), "x-time": String(SECONDS + 1) }, timed)).toEqual({
      ok: false,
      cause: "mismatch",
    });
    const wide = {
      settings: settings("SHA256", { timestampHeader: "X-Time", prefix: "v1=", toleranceSeconds: 3600 }),
    };
    expect(judge("hmac", signed(SECONDS - 3600), wide)).toEqual({ ok: true });
  });

  test("binds method, configured URL and headers when the template names them", () => {
    const bound = {
      settings: settings("SHA256", { signedTemplate: "{method} {url}\n{header:Date}\n{body}" }),
    };
    const date = "Mon, 23 Nov 2026 10:00:00 GMT";
    const message = `POST https://hub.example.com/webhooks/acme/orders?a=1\n${date}\n${BODY}`;
    const headers = { "x-signature": hmacText(SECRET, message), date };
    expect(judge("hmac", headers, bound)).toEqual({ ok: true });
    expect(judge("hmac", headers, { ...bound, change: { method: "PUT" } }).ok).toBe(false);
    expect(
      judge("hmac", headers, {
        ...bound,
        change: { publicUrl: () => "https://hub.example.com/webhooks/acme/orders?a=2" },
      }).ok,
    ).toBe(false);
    expect(judge("hmac", { ...headers, date: "Tue, 24 Nov 2026 10:00:00 GMT" }, bound).ok).toBe(false);
    expect(judge("hmac", { ...headers, date: "\u00e9" }, bound)).toEqual({ ok: false, cause: "malformed" });
  });
});

describe("compileVerifier() of standard-webhooks and svix", () => {
  const key = Buffer.alloc(32, 9);
  const secrets = [`whsec_${key.toString("base64")}`];
  const signed = (id: string, prefix: string) => ({
    [`${prefix}-id`]: id,
    [`${prefix}-timestamp`]: String(SECONDS),
    [`${prefix}-signature`]: `v1,${hmacText(key, `${id}.${SECONDS}.${BODY}`, "base64")}`,
  });

  test("a signed message does not pass with an unsigned id of the other spelling beside it", () => {
    const plain = signed("msg_1", "webhook");
    expect(judge("svix", plain, { secrets })).toEqual({ ok: true });
    expect(judge("svix", { ...plain, "svix-id": "msg_2" }, { secrets })).toEqual({
      ok: false,
      cause: "header_missing",
    });
    const both = { ...signed("msg_1", "svix"), "webhook-id": "msg_2" };
    expect(judge("svix", both, { secrets })).toEqual({ ok: true });
    const eventIdOf = compileSource(findScheme("svix")!.eventId);
    expect(eventIdOf(new Headers(both), new Uint8Array())).toBe("msg_1");
  });

  test("refuses an id with a full stop, which could be cut at another place", () => {
    expect(judge("standard-webhooks", signed("msg.1", "webhook"), { secrets })).toEqual({
      ok: false,
      cause: "malformed",
    });
  });

  test("takes the right one among several signatures, and ignores unknown versions", () => {
    const right = signed("msg_1", "webhook");
    const wrong = `v1,${Buffer.alloc(32).toString("base64")}`;
    const signature = right["webhook-signature"]!;
    for (const value of [
      `${wrong} ${signature}`,
      `${signature} ${wrong}`,
      `v9,abc ${signature}`,
      `v1a,abc ${signature}`,
    ]) {
      expect(judge("standard-webhooks", { ...right, "webhook-signature": value }, { secrets })).toEqual({
        ok: true,
      });
    }
    const relabelled = signature.replace("v1,", "v1a,");
    expect(judge("standard-webhooks", { ...right, "webhook-signature": relabelled }, { secrets }).ok).toBe(
      false,
    );
  });
});

describe("compileVerifier() of token, basic and none", () => {
  const place = (signatureSettings: Record<string, unknown>, signatureHeader?: string): SchemeSettings => ({
    signatureSettings,
    ...(signatureHeader === undefined ? {} : { signatureHeader }),
  });

  test("finds the token in a header behind its word, in the query, in JSON and in XML", () => {
    const bearer = { settings: place({ prefix: "Bearer " }, "Authorization") };
    expect(judge("token", { authorization: `Bearer ${SECRET}` }, bearer)).toEqual({ ok: true });
    expect(judge("token", { authorization: `bearer ${SECRET}` }, bearer)).toEqual({ ok: true });
    expect(judge("token", { authorization: SECRET }, bearer)).toEqual({
      ok: false,
      cause: "unknown_version",
    });
    const query = { settings: place({ query: "key" }) };
    expect(judge("token", {}, { ...query, query: `a=1&key=${SECRET}` })).toEqual({ ok: true });
    expect(judge("token", {}, { ...query, query: `key=${SECRET}&key=${SECRET}` })).toEqual({
      ok: false,
      cause: "malformed",
    });
    expect(judge("token", {}, { ...query, query: "key=" })).toEqual({ ok: false, cause: "mismatch" });
    const json = { settings: place({ pointer: "/auth/0/token" }) };
    expect(judge("token", {}, { ...json, body: `{"auth":[{"token":"${SECRET}"}]}` })).toEqual({ ok: true });
    expect(judge("token", {}, { ...json, body: `{"auth":[{"token":"x","token":"${SECRET}"}]}` })).toEqual({
      ok: false,
      cause: "malformed",
    });
    expect(judge("token", {}, { ...json, body: '{"auth":[{"token":1}]}' })).toEqual({
      ok: false,
      cause: "malformed",
    });
    expect(judge("token", {}, { ...json, body: "{}" })).toEqual({ ok: false, cause: "header_missing" });
    const xml = { settings: place({ xmlPath: "/Envelope/Body/OrganizationId" }) };
    const soap = (id: string) =>
      `<s:Envelope xmlns:s="u"><s:Body><OrganizationId>${id}</OrganizationId></s:Body></s:Envelope>`;
    expect(judge("token", {}, { ...xml, body: soap(SECRET) })).toEqual({ ok: true });
    expect(judge("token", {}, { ...xml, body: soap("x") })).toEqual({ ok: false, cause: "mismatch" });
    expect(judge("token", {}, { ...xml, body: "<" })).toEqual({ ok: false, cause: "malformed" });
  });

  test("never throws on hostile bodies", () => {
    const bodies = [
      "[".repeat(100_000),
      '{"__proto__":{"token":"x"}}',
      '{"token":"\\ud800"}',
      "\0",
      '{"token":"',
    ];
    for (const body of bodies) {
      for (const settings of [place({ pointer: "/token" }), place({ xmlPath: "/token" })]) {
        expect(judge("token", {}, { settings, body }).ok).toBe(false);
      }
    }
    const rawBody = new Uint8Array([0x7b, 0xff, 0xfe]);
    expect(judge("token", {}, { settings: place({ pointer: "/token" }), change: { rawBody } })).toEqual({
      ok: false,
      cause: "malformed",
    });
  });

  test("compares the bytes of user and password, colons included", () => {
    const secrets = ["acme:pass:wörd ✓"];
    const encoded = Buffer.from(secrets[0]!).toString("base64");
    expect(judge("basic", { authorization: `Basic ${encoded}` }, { secrets })).toEqual({ ok: true });
    expect(judge("basic", { authorization: `BASIC ${encoded}` }, { secrets })).toEqual({ ok: true });
    expect(judge("basic", { authorization: `Basic ${encoded}=` }, { secrets })).toEqual({
      ok: false,
      cause: "mismatch",
    });
    expect(judge("basic", { authorization: `Bearer ${encoded}` }, { secrets })).toEqual({
      ok: false,
      cause: "unknown_version",
    });
    expect(judge("basic", {}, { secrets })).toEqual({ ok: false, cause: "header_missing" });
  });

  test("none takes everything and needs no secret", () => {
    expect(judge("none", {}, { secrets: [] })).toEqual({ ok: true });
  });
});

describe("a header that stands twice on the wire", () => {
  const verify = compileVerifier(findScheme("github")!, {}, [SECRET]);
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      const rawBody = await request.bytes();
      return Response.json(
        verify(requestOf({ headers: {}, query: "", body: "" }, { headers: request.headers, rawBody })),
      );
    },
  });
  afterAll(() => server.stop(true));

  async function send(headerLines: string[]): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let reply = "";
    const socket = connect(server.port!, "127.0.0.1");
    socket.on("data", (chunk) => (reply += chunk.toString()));
    socket.on("close", () => resolve(reply));
    socket.on("error", reject);
    const lines = [
      "POST / HTTP/1.1",
      "Host: hub",
      "Connection: close",
      `Content-Length: ${BODY.length}`,
      ...headerLines,
      "",
      BODY,
    ];
    socket.write(lines.join("\r\n"));
    const text = await promise;
    return JSON.parse(text.slice(text.indexOf("\r\n\r\n")));
  }

  test("compileVerifier() answers header_doubled, also when both are right", async () => {
    const line = `X-Hub-Signature-256: sha256=${hmacText(SECRET, BODY)}`;
    expect(await send([line])).toEqual({ ok: true });
    expect(await send([line, line])).toEqual({ ok: false, cause: "header_doubled" });
    expect(await send([line, "x-hub-signature-256: sha256=00"])).toEqual({
      ok: false,
      cause: "header_doubled",
    });
  });
});

describe("compileSource()", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const at = (pointer: string, body: string) => compileSource({ pointer })(new Headers(), bytes(body));

  test("reads a header, the other header, or nothing", () => {
    const read = compileSource({ header: "X-Id", orHeader: "y-id" });
    expect(read(new Headers({ "x-id": "1", "y-id": "2" }), bytes(""))).toBe("1");
    expect(read(new Headers({ "y-id": "2" }), bytes(""))).toBe("2");
    expect(read(new Headers({ "x-id": "" }), bytes(""))).toBeUndefined();
    expect(read(new Headers(), bytes(""))).toBeUndefined();
    expect(compileSource(undefined)(new Headers({ "x-id": "1" }), bytes("{}"))).toBeUndefined();
  });

  test("reads strings and numbers of a body, and nothing else", () => {
    expect(at("/data/0/id", '{"data":[{"id":"x"}]}')).toBe("x");
    expect(at("/id", '{"id":7}')).toBe("7");
    expect(at("/id", '{"id":1.50}')).toBe("1.50");
    for (const id of ["null", "true", "{}", "[]", '""']) expect(at("/id", `{"id":${id}}`)).toBeUndefined();
    for (const body of ["", "{", "[]", '"id"', "null", "\0", '{"id":', "id=7"])
      expect(at("/id", body)).toBeUndefined();
    expect(at("/length", "[1]")).toBeUndefined();
    expect(at("/__proto__/id", '{"__proto__":{"id":"own"}}')).toBe("own");
    expect(at("/toString", "{}")).toBeUndefined();
    expect(compileSource({ pointer: "/id" })(new Headers(), new Uint8Array([0xff]))).toBeUndefined();
  });

  test("keeps ids apart that doubles would make one", () => {
    expect(at("/id", '{"id":9007199254740993}')).toBe("9007199254740993");
    expect(at("/id", '{"id":12345678901234567890}')).toBe("12345678901234567890");
  });

  test("gives text that Postgres can hold, of bounded length", () => {
    expect(at("/id", '{"id":"a\\u0000b"}')).toBe('"a\\u0000b"');
    expect(at("/id", '{"id":"\\ud800"}')).toBe('"\\ud800"');
    const long = at("/id", `{"id":"${"x".repeat(600)}"}`)!;
    expect(long).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(long).not.toBe(at("/id", `{"id":"${"x".repeat(601)}"}`)!);
  });

  test("finds the same in a large body as in a small one", () => {
    const filler = `"filler":${JSON.stringify('[{,}]\\"'.repeat(20_000))}`;
    for (const id of ['"abc"', "42", "9007199254740993", '"a\\u0000b"', "null", '""']) {
      const large = `{${filler},"id":${id},"more":{"id":"no"}}`;
      expect(large.length).toBeGreaterThan(64 * 1024);
      expect(at("/id", large)).toBe(at("/id", `{"id":${id},"more":{"id":"no"}}`) as string);
    }
  });

  test("reads an XML path and hashes the body", () => {
    const xml = compileSource({ xmlPath: "/a/id" });
    expect(xml(new Headers(), bytes("<a><id> 7 </id></a>"))).toBe("7");
    expect(xml(new Headers(), bytes("<a>"))).toBeUndefined();
    const hash = compileSource({ body: "sha256" });
    expect(hash(new Headers(), bytes("abc"))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
  });
});

describe("compileChallenges()", () => {
  const post = (body: string, method = "POST") => ({
    method,
    headers: new Headers(),
    query: "",
    rawBody: new TextEncoder().encode(body),
  });

  test("answers Slack's url_verification with its challenge, and no event", () => {
    const slack = findScheme("slack")!;
    const answer = compileChallenges(slack, [SECRET])?.(
      post('{"token":"x","challenge":"3eZb\\"Zur","type":"url_verification"}'),
    );
    expect(answer).toEqual({
      status: 200,
      contentType: "application/json",
      body: '{"challenge":"3eZb\\"Zur"}',
    });
    expect(
      compileChallenges(slack, [SECRET])?.(post('{"type":"event_callback","challenge":"x"}')),
    ).toBeUndefined();
    expect(compileChallenges(slack, [SECRET])?.(post('{"type":"url_verification"}'))).toBeUndefined();
    expect(
      compileChallenges(slack, [SECRET])?.(post('{"type":"url_verification","challenge":"x"}', "GET")),
    ).toBeUndefined();
    expect(
      compileChallenges(findScheme("github")!, [SECRET])?.(
        post('{"type":"url_verification","challenge":"x"}'),
      ),
    ).toBeUndefined();
  });

  test("gives the value back by GET only to who holds the secret", () => {
    const scheme: Scheme = {
      ...findScheme("github")!,
      challenges: [
        {
          method: "GET",
          recognise: [{ place: { query: "hub.mode" }, equals: "subscribe" }],
          proof: { place: { query: "hub.verify_token" } },
          value: { query: "hub.challenge" },
          answer: (value) => ({ status: 200, contentType: "text/plain", body: value }),
        },
      ],
    };
    const get = (token: string) => ({
      ...post("", "GET"),
      query: `hub.mode=subscribe&hub.challenge=1158&hub.verify_token=${token}`,
    });
    expect(compileChallenges(scheme, ["newest-secret-000", SECRET])?.(get(SECRET))?.body).toBe("1158");
    expect(compileChallenges(scheme, [SECRET])?.(get("wrong"))).toBeUndefined();
    expect(compileChallenges(scheme, [])?.(get(""))).toBeUndefined();
  });
});
