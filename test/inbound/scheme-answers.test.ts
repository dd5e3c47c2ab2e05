import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { CreateEndpointInput } from "../../src/domain/inbound/endpoint-schema.ts";
import type { InboundMessage } from "../../src/domain/events/topics.ts";
import { ruleOf } from "../../src/domain/inbound/schemes/scheme.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "./edge-fixture.ts";
import { readVectors, type SchemeVector } from "./schemes/read-vectors.ts";
import { hmacText } from "./schemes/signed-requests.ts";

const SECRET = "3f1a9c5b7d2e4f60a1b2c3d4e5f60718";

let edge: EdgeFixture;
beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge.stop());

async function open(signatureScheme: string, more: Partial<CreateEndpointInput> = {}) {
  const endpoint = await makeEndpoint(edge, { signatureScheme, secretKey: SECRET, ...more });
  const url = `${edge.baseUrl}/webhooks/${edge.slug}/${endpoint.endpointPath}`;
  return {
    url,
    stored: async () => (await edge.entries()).filter((entry) => entry.message.endpointId === endpoint.id),
    post: (body: string, headers: Record<string, string>) => fetch(url, { method: "POST", body, headers }),
  };
}

describe("over HTTP", () => {
  test("Dropbox's challenge comes back as plain text that no browser takes for a page", async () => {
    const { url, stored } = await open("dropbox");
    const answer = await fetch(`${url}?challenge=%3Cb%3Ehi%3C%2Fb%3E`);
    expect([answer.status, await answer.text()]).toEqual([200, "<b>hi</b>"]);
    expect(answer.headers.get("content-type")).toBe("text/plain");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    const without = await fetch(url);
    expect([without.status, without.headers.get("allow")]).toEqual([405, "POST, GET"]);
    expect(await stored()).toEqual([]);
  });

  test("Dropbox's equal notifications are events of their own", async () => {
    const { post, stored } = await open("dropbox");
    const body = '{"list_folder":{"accounts":["dbid:AAH4f99T0taONIb-OurWxbNQ6ywGRopQngc"]}}';
    for (let turn = 0; turn < 2; turn++) {
      const answer = await post(body, { "x-dropbox-signature": hmacText(SECRET, body) });
      expect([answer.status, await answer.json()]).toMatchObject([200, { status: "accepted" }]);
    }
    expect(await stored()).toHaveLength(2);
  });

  test("Intercom's HEAD and Onfleet's GET are answered 200", async () => {
    const intercom = await open("intercom");
    const head = await fetch(intercom.url, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    const onfleet = await open("onfleet", { secretKey: SECRET.repeat(2) });
    const get = await fetch(`${onfleet.url}?check=AbC123`);
    expect([get.status, await get.text()]).toEqual([200, "AbC123"]);
  });

  test("WooCommerce's ping is answered without a signature, and nothing else is", async () => {
    const { post, stored } = await open("woocommerce");
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const ping = await post("webhook_id=3", form);
    expect([ping.status, await ping.text()]).toEqual([200, ""]);
    for (const body of ["webhook_id=", "webhook_id=3&a=1", "webhook_id=3\n", '{"id":3}', ""]) {
      expect((await post(body, form)).status).toBe(401);
    }
    expect(await stored()).toEqual([]);
  });

  test.each([
    ["basic", { secretKey: "partner:a long password" }, 'Basic realm="webhooks", charset="UTF-8"'],
    ["postmark", { secretKey: "partner:a long password" }, 'Basic realm="webhooks", charset="UTF-8"'],
    ["jwt", { secretKey: SECRET.repeat(2) }, "Bearer"],
    ["token", { signatureHeader: "Authorization", signatureSettings: { prefix: "Bearer " } }, "Bearer"],
    ["token", {}, null],
    ["hmac", {}, null],
  ] as const)(
    "%s: the 401 asks for what belongs into Authorization, case %#",
    async (scheme, more, asked) => {
      const { post } = await open(scheme, more);
      const answer = await post("{}", {});
      expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, asked]);
    },
  );

  test("Uber is answered with an empty body, and its second try is a duplicate", async () => {
    const { post, stored } = await open("uber");
    const body = '{"event_type":"orders.release","event_id":"a53b019a-0943-4243-87fa-f839a91d90c0"}';
    for (let turn = 0; turn < 2; turn++) {
      const answer = await post(body, { "x-uber-signature": hmacText(SECRET, body) });
      expect([answer.status, await answer.text()]).toEqual([200, ""]);
    }
    expect(await stored()).toHaveLength(1);
  });

  // The others depend on the time or the address at which they arrive; the engine's tests give them those.
  const timeless = readVectors().filter(({ scheme, settings, shortSecret }) => {
    const rule = ruleOf(scheme, settings ?? {});
    if (rule.kind === "signature")
      return rule.time === undefined && !rule.signed.includes("url") && !shortSecret;
    return rule.kind === "token" || rule.kind === "basic";
  });
  test.each(timeless.map((vector) => [vector.label, vector] as const))(
    "the vector %s is accepted with its event id and type, and refused when a byte was changed",
    async (_label, vector: SchemeVector) => {
      const { post, stored } = await open(vector.scheme.name, {
        secretKey: vector.secret,
        ...(vector.settings as Partial<CreateEndpointInput>),
      });
      const refused = await post(
        vector.body.replace(/^./, " "),
        Object.fromEntries(Object.entries(vector.headers).map(([name, value]) => [name, `${value}x`])),
      );
      expect(refused.status).toBe(401);
      const answer = await post(vector.body, vector.headers);
      expect(answer.status).toBe(200);
      const entries = await stored();
      expect(entries).toHaveLength(1);
      const { eventId, eventType } = entries[0]!.message as InboundMessage;
      expect(eventType).toBe(vector.eventType);
      if (vector.eventId !== "unique") expect(eventId).toBe(vector.eventId);
    },
  );
});
