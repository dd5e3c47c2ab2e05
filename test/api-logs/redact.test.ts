import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { createRedactor } from "../../src/domain/api-logs/redact.ts";
import { REDACTED } from "../../src/domain/api-logs/secret-names.ts";

const SECRET = "cnry_0b7e4f4d/with+odd=chars";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (body: Uint8Array): string => new TextDecoder().decode(body);

function redactBody(text: string, contentType: string | null, options = {}, bytesMax = 65_536): string {
  return textOf(createRedactor(options).body(bytes(text), contentType, bytesMax));
}

describe("createRedactor().headers()", () => {
  test("headers() removes the values of secret headers in any spelling", () => {
    const names = [
      "Authorization",
      "cookie",
      "Set-Cookie",
      "X-API-Key",
      "x_auth_token",
      "Stripe-Signature",
      "X-Hub-Signature-256",
      "Proxy-Authorization",
    ];
    const shown = createRedactor().headers(names.map((name) => [name, SECRET] as const));
    expect(Object.values(shown)).toEqual(names.map(() => REDACTED));
  });

  test("headers() keeps harmless headers", () => {
    const shown = createRedactor().headers([
      ["content-type", "application/json"],
      ["x-request-id", "abc"],
      ["user-agent", "curl/8"],
    ]);
    expect(shown).toEqual({
      "content-type": "application/json",
      "x-request-id": "abc",
      "user-agent": "curl/8",
    });
  });

  test("headers() removes names given by the caller and known values in other headers", () => {
    const shown = createRedactor({ names: ["X-Partner-Pass-Phrase-Of-Ours"], secrets: [SECRET] }).headers([
      ["x-partner-pass-phrase-of-ours", "anything"],
      ["x-debug", `sent ${SECRET} along`],
      ["location", "https://partner.example/cb?code=abc123&x=1"],
    ]);
    expect(shown).toEqual({
      "x-partner-pass-phrase-of-ours": REDACTED,
      "x-debug": `sent ${REDACTED} along`,
      location: `https://partner.example/cb?code=${REDACTED}&x=1`,
    });
  });

  test("headers() takes a header called __proto__ for a header", () => {
    const shown = createRedactor().headers([["__proto__", "x"]]);
    expect(Object.hasOwn(shown, "__proto__")).toBe(true);
    expect(Object.getPrototypeOf(shown)).toBe(Object.prototype);
  });
});

describe("createRedactor().text()", () => {
  const forms: [string, string][] = [
    ["plain", SECRET],
    ["URL-encoded", encodeURIComponent(SECRET)],
    [
      "URL-encoded in lower case",
      encodeURIComponent(SECRET).replace(/%../g, (escape) => escape.toLowerCase()),
    ],
    ["inside JSON", JSON.stringify({ a: SECRET })],
    ["base64", Buffer.from(SECRET).toString("base64")],
    ["base64 behind one byte", Buffer.from(`:${SECRET}`).toString("base64")],
    ["base64 behind a user name", Buffer.from(`ab:${SECRET}@tail`).toString("base64")],
    ["base64url", Buffer.from(`user:${SECRET}`).toString("base64url")],
  ];
  const escapedUnits = [...SECRET].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  forms.push(
    ["as PHP writes it into JSON", SECRET.replaceAll("/", "\\/")],
    ["as .NET writes it into JSON", SECRET.replaceAll("+", "\\u002B")],
    ["in JSON's escapes alone", escapedUnits.join("")],
    ["in XML's escapes", SECRET.replaceAll("+", "&#43;").replaceAll("=", "&#x3D;")],
    ["URL-encoded further than needed", SECRET.replace("c", "%63").replaceAll("/", "%2f")],
  );
  for (const [name, form] of forms) {
    test(`text() removes a known secret that stands ${name}`, () => {
      const shown = createRedactor({ secrets: [SECRET] }).text(`before ${form} after`);
      expect(shown).toContain(REDACTED);
      expect(shown).toContain("before ");
      expect(shown).toContain(" after");
      expect(shown).not.toContain(SECRET);
      expect(Buffer.from(shown.split(" ")[1] ?? "", "base64").toString()).not.toContain(SECRET.slice(2, -3));
    });
  }

  test("text() removes the longer of two secrets of which one begins with the other", () => {
    const shown = createRedactor({ secrets: ["abcdef", "abcdef-and-more"] }).text(
      "x abcdef-and-more y abcdef z",
    );
    expect(shown).toBe(`x ${REDACTED} y ${REDACTED} z`);
  });

  test("text() removes credentials that tell themselves", () => {
    const shown = createRedactor().text(
      "Bearer abcdefgh, Basic dXNlcjpwYXNz, whsec_MfKQ9r8GKYqrTwjUPD8, postgres://u:p4ss@host/db, " +
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln sk_live_0123456789abcdef",
    );
    expect(shown).not.toMatch(/abcdefgh|dXNlc|whsec_M|p4ss|eyJ|0123456789/);
    expect(shown).toContain("@host/db");
  });

  test("text() leaves secrets of fewer than six characters to the rules by name", () => {
    expect(createRedactor({ secrets: ["id"] }).text("identity")).toBe("identity");
  });
});

describe("createRedactor().url() and query()", () => {
  test("url() keeps order and harmless parameters", () => {
    const shown = createRedactor().url("https://h/p?b=2&access_token=zzz&a=1&api%5Fkey=q&b=3");
    expect(shown).toBe(`https://h/p?b=2&access_token=${REDACTED}&a=1&api%5Fkey=${REDACTED}&b=3`);
  });

  test("url() removes secret parameters of a fragment", () => {
    const shown = createRedactor().url("https://h/cb?x=1#state=abc&access_token=tok");
    expect(shown).toBe(`https://h/cb?x=1#state=${REDACTED}&access_token=${REDACTED}`);
  });

  test("query() makes arrays of repeated names", () => {
    expect(createRedactor().query("a=1&a=2&token=x&__proto__=y")).toEqual(
      Object.fromEntries([
        ["a", ["1", "2"]],
        ["token", REDACTED],
        ["__proto__", "y"],
      ]),
    );
  });
});

describe("createRedactor().body()", () => {
  test("body() removes secret fields of JSON at any depth and keeps every other character", () => {
    const shown = redactBody(
      '{ "a": 1,\n "client_secret" : "x\\"y", "n": [{"password":{"deep":["z"]}}], "tok\\u0065n": 12.5, "t":null }',
      "application/json",
    );
    expect(shown).toBe(
      `{ "a": 1,\n "client_secret" : "${REDACTED}", "n": [{"password":"${REDACTED}"}], "tok\\u0065n": "${REDACTED}", "t":null }`,
    );
  });

  test("body() keeps error codes and states of JSON, which are secrets in forms only", () => {
    const json = '{"code":"E12","state":"TX","key":"weight","token_type":"bearer"}';
    expect(redactBody(json, "application/json")).toBe(json);
    expect(redactBody("code=E12&state=s&grant_type=x", "application/x-www-form-urlencoded")).toBe(
      `code=${REDACTED}&state=${REDACTED}&grant_type=x`,
    );
  });

  test("body() finds the end of any string, whatever stands in it", () => {
    const piece = fc.constantFrom("\\", '"', "\\\\", "a", ",", ":", "}", "\n", "é", "\u2028");
    const string = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(string, string, string, (before, password, after) => {
        const document = { before, [before]: { password, after }, after };
        const shown = createRedactor().body(
          Buffer.from(JSON.stringify(document)),
          "application/json",
          100_000,
        );
        expect(JSON.parse(Buffer.from(shown).toString())).toEqual({
          ...document,
          [before]: { password: REDACTED, after },
          after,
        });
      }),
    );
  });

  test("body() works on JSON that is broken or cut", () => {
    expect(redactBody('{"a":{"password":"abc', "application/json")).toBe(`{"a":{"password":"${REDACTED}"`);
    expect(redactBody('{"token":"abc","b', null)).toBe(`{"token":"${REDACTED}","b`);
  });

  test("body() removes secret elements and attributes of XML", () => {
    expect(redactBody('<a><s:Password>x</s:Password><b token="t" c="d">e</b></a>', "text/xml")).toBe(
      `<a><s:Password>${REDACTED}</s:Password><b token="${REDACTED}" c="d">e</b></a>`,
    );
  });

  test("body() removes what a secret element holds, however it is written", () => {
    const xml =
      '<a><Password><![CDATA[x<y]]></Password><Passwd><!-- c -->1&#50;</Passwd><b token="t>u">e</b><c>kept</c></a>';
    expect(redactBody(xml, "text/xml")).toBe(
      `<a><Password><![CDATA[${REDACTED}]]></Password><Passwd><!-- c -->${REDACTED}</Passwd>` +
        `<b token="${REDACTED}">e</b><c>kept</c></a>`,
    );
  });

  test("body() removes secret fields of a document that stands as text in another one", () => {
    const inner = JSON.stringify({ a: 1, password: "hunter22" });
    const shown = redactBody(JSON.stringify({ Message: inner, list: [inner], n: 1 }), "application/json");
    const hidden = JSON.stringify({ a: 1, password: REDACTED });
    expect(JSON.parse(shown)).toEqual({ Message: hidden, list: [hidden], n: 1 });
    expect(redactBody(`{"m":"{\\"password\\":\\"hunt`, "application/json")).not.toContain("hunt");
  });

  test("body() removes secret parts of a multipart form", () => {
    const part = (name: string, value: string): string =>
      `--b\r\nContent-Disposition: form-data; name="${name}"\r\nContent-Type: text/plain\r\n\r\n${value}\r\n`;
    const form = (password: string): string => `${part("user", "u")}${part("password", password)}--b--\r\n`;
    expect(redactBody(form("hunter22\nx"), "multipart/form-data; boundary=b")).toBe(form(REDACTED));
    expect(redactBody(part("token", "abc").slice(0, -3), "multipart/form-data")).not.toContain("ab");
  });

  test("body() shows no part of a secret that lies across the cut", () => {
    for (let offset = 0; offset < SECRET.length; offset++) {
      const text = "x".repeat(1000 - offset) + SECRET + "y".repeat(20_000);
      const shown = redactBody(text, "text/plain", { secrets: [SECRET] }, 1000);
      expect(shown.length).toBeLessThanOrEqual(1000);
      expect(shown).not.toContain(SECRET.slice(0, 6));
    }
  });

  test("body() keeps bytes that are no UTF-8", () => {
    const body = Uint8Array.from([0, 255, 254, 1]);
    expect(createRedactor({ secrets: [SECRET] }).body(body, "application/pdf", 100)).toEqual(body);
  });

  test("body() finds a known secret among bytes that are no UTF-8", () => {
    const body = Buffer.concat([Buffer.from([255, 0]), Buffer.from(SECRET), Buffer.from([254])]);
    const shown = Buffer.from(createRedactor({ secrets: [SECRET] }).body(body, null, 1000));
    expect(shown.includes(SECRET)).toBe(false);
    expect([shown[0], shown.at(-1)]).toEqual([255, 254]);
  });

  test("body() ends on hostile documents of a megabyte", () => {
    const size = 1_000_000;
    const documents = [
      "[".repeat(size),
      '{"a":'.repeat(size / 5),
      '"'.repeat(size),
      '{"password":'.repeat(size / 12),
      `<a ${"b".repeat(size)}`,
      "<".repeat(size),
      "eyJ-".repeat(size / 4),
      "://a:".repeat(size / 5),
      "Bearer ".repeat(size / 7),
      `"token" ${" ".repeat(size)}`,
      "<a b='".repeat(size / 6),
      "&=".repeat(size / 2),
      '<"'.repeat(size / 2),
      "<!--".repeat(size / 4),
      "content-disposition: form-data; name=a\n".repeat(size / 39),
      "content-disposition: name=".repeat(size / 26),
      "\\u0063".repeat(size / 6),
      `["${'{\\"'.repeat(size / 3)}"]`,
    ];
    for (const document of documents) {
      for (const type of [
        "application/json",
        "text/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain",
      ]) {
        expect(redactBody(document, type, { secrets: [SECRET] }, size).length).toBeGreaterThan(0);
      }
    }
  });
});
