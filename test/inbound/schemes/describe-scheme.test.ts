import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { describeScheme } from "../../../src/domain/inbound/describe-scheme.ts";
import { SchemeDescription } from "../../../src/domain/inbound/scheme-schema.ts";
import { findScheme, SCHEMES } from "../../../src/domain/inbound/schemes/registry.ts";

describe("describeScheme()", () => {
  test("describes every scheme in the form that the API promises, and keeps nothing back by it", () => {
    for (const scheme of SCHEMES) {
      const description = describeScheme(scheme);
      expect([...Value.Errors(SchemeDescription, description)]).toEqual([]);
      expect(Value.Clean(SchemeDescription, structuredClone(description))).toEqual(description);
      expect(JSON.parse(JSON.stringify(description))).toEqual(description);
    }
  });

  test("gives an object that may be changed without changing the scheme", () => {
    const description = describeScheme(findScheme("stripe")!);
    description.headers.push("x-other");
    description.eventId!.pointer = "/other";
    delete description.settings!["properties"];
    const again = describeScheme(findScheme("stripe")!);
    expect(again).toMatchObject({
      headers: ["stripe-signature"],
      eventId: { pointer: "/id" },
      settings: { properties: { toleranceSeconds: { maximum: 3600 } } },
    });
  });

  test("says what a partner's engineer has to know", () => {
    expect(describeScheme(findScheme("samsara")!)).toMatchObject({
      name: "samsara",
      documentationUrl: "https://developers.samsara.com/docs/webhooks#webhook-signatures",
      proof: "signature",
      headers: ["x-samsara-signature", "x-samsara-timestamp"],
      algorithm: "HMAC-SHA256, hex",
      toleranceSeconds: 300,
      secret: { forms: [{ prefix: "", encoding: "base64", use: "hmac", bytesMin: 16 }], generated: true },
      eventId: { pointer: "/eventId" },
    });
    expect(describeScheme(findScheme("woocommerce")!).challenges).toEqual([
      { method: "POST", signed: false, answers: null },
    ]);
    expect(describeScheme(findScheme("ship24")!).tokenPlace).toEqual({
      header: "authorization",
      prefix: "Bearer ",
    });
    expect(describeScheme(findScheme("uber")!).acceptedAnswer).toEqual({
      status: 200,
      contentType: null,
      body: "",
    });
    expect(describeScheme(findScheme("none")!)).toMatchObject({ documentationUrl: null, secret: null });
  });
});
