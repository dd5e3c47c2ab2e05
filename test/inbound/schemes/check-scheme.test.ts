import { describe, expect, test } from "bun:test";
import {
  checkScheme,
  checkSecret,
  generateSecret,
} from "../../../src/domain/inbound/schemes/check-scheme.ts";
import { findScheme, schemeNames, SCHEMES } from "../../../src/domain/inbound/schemes/registry.ts";
import { ruleOf, type SchemeSettings } from "../../../src/domain/inbound/schemes/scheme.ts";
import { compileVerifier } from "../../../src/domain/inbound/verify-signature.ts";

function faultPaths(scheme: string, settings: SchemeSettings): string[] {
  return checkScheme(findScheme(scheme)!, settings).map(({ path }) => path);
}

describe("SCHEMES", () => {
  test("have unique kebab-case names, a source, and lower-case header names", () => {
    expect(new Set(schemeNames).size).toBe(SCHEMES.length);
    for (const scheme of SCHEMES) {
      expect(scheme.name).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
      expect(scheme.source.length).toBeGreaterThan(0);
      const rule = ruleOf(scheme, {});
      const names =
        rule.kind === "signature"
          ? rule.headers.flatMap((spelling) => Object.values(spelling) as string[])
          : [];
      const sources = [scheme.eventId, scheme.eventType].flatMap((source) =>
        source !== undefined && "header" in source ? [source.header, source.orHeader ?? ""] : [],
      );
      for (const name of [...names, ...sources]) expect(name).toBe(name.toLowerCase());
    }
    expect(findScheme("unknown")).toBeUndefined();
    expect(findScheme("__proto__")).toBeUndefined();
  });

  test("every signature rule signs the body once, and a time wherever it reads one", () => {
    for (const scheme of SCHEMES) {
      const rule = ruleOf(scheme, {});
      if (rule.kind !== "signature") continue;
      expect(rule.signed.filter((part) => part === "body")).toHaveLength(1);
      const isOutsideBody = rule.time !== undefined && rule.time.pointer === undefined;
      expect(rule.signed.includes("timestamp")).toBe(isOutsideBody);
    }
  });
});

describe("checkScheme()", () => {
  test("takes every scheme without settings, and what repeats the provider's own", () => {
    for (const scheme of SCHEMES) {
      expect(checkScheme(scheme, {})).toEqual([]);
      expect(
        checkScheme(scheme, { signatureHeader: null, signatureAlgorithm: null, signatureSettings: null }),
      ).toEqual([]);
    }
    expect(
      faultPaths("github", { signatureHeader: "X-Hub-Signature-256", signatureAlgorithm: "HMAC-SHA256" }),
    ).toEqual([]);
    expect(faultPaths("shopify", { signatureAlgorithm: "HMAC-SHA256-BASE64" })).toEqual([]);
  });

  test("refuses to change what the provider fixed", () => {
    expect(faultPaths("github", { signatureHeader: "X-Hub-Signature" })).toEqual(["/signatureHeader"]);
    expect(faultPaths("github", { signatureAlgorithm: "HMAC-SHA1" })).toEqual(["/signatureAlgorithm"]);
    expect(faultPaths("shopify", { signatureAlgorithm: "HMAC-SHA256-HEX" })).toEqual(["/signatureAlgorithm"]);
    expect(faultPaths("basic", { signatureHeader: "X-Auth" })).toEqual(["/signatureHeader"]);
    expect(faultPaths("none", { signatureHeader: "X-Auth" })).toEqual(["/signatureHeader"]);
    expect(faultPaths("token", { signatureAlgorithm: "HMAC-SHA256" })).toEqual(["/signatureAlgorithm"]);
    expect(faultPaths("github", { signatureSettings: { toleranceSeconds: 300 } })).toEqual([
      "/signatureSettings/toleranceSeconds",
    ]);
  });

  test("judges signatureAlgorithm of hmac", () => {
    for (const signatureAlgorithm of [
      "HMAC-SHA256",
      "hmac_sha1",
      "SHA512",
      "sha-256",
      "HMAC-SHA256-BASE64",
      "sha1/base64url",
    ]) {
      expect(faultPaths("hmac", { signatureAlgorithm })).toEqual([]);
    }
    for (const signatureAlgorithm of [
      "",
      "MD5",
      "HMAC-MD5",
      "HMAC-SHA2",
      "SHA256-UTF8",
      "none",
      "HMAC-SHA256 ",
    ]) {
      expect(faultPaths("hmac", { signatureAlgorithm })).toEqual(["/signatureAlgorithm"]);
    }
    expect(
      faultPaths("hmac", { signatureAlgorithm: "SHA256-HEX", signatureSettings: { encoding: "base64" } }),
    ).toEqual(["/signatureSettings/encoding"]);
  });

  test("names each faulty setting by its path", () => {
    const faults = (signatureSettings: Record<string, unknown>) => faultPaths("hmac", { signatureSettings });
    expect(faults({ encoding: "base32" })).toEqual(["/signatureSettings/encoding"]);
    expect(faults({ prefix: "a, b" })).toEqual(["/signatureSettings/prefix"]);
    expect(faults({ keyForm: 1, unknown: true }).sort()).toEqual([
      "/signatureSettings/keyForm",
      "/signatureSettings/unknown",
    ]);
    expect(faults({ toleranceSeconds: 60 })).toEqual(["/signatureSettings/toleranceSeconds"]);
    expect(faults({ timestampHeader: "x-time", toleranceSeconds: 5 })).toEqual([
      "/signatureSettings/toleranceSeconds",
    ]);
    expect(faults({ timestampUnit: "seconds" })).toEqual(["/signatureSettings/timestampUnit"]);
    expect(faults({ timestampHeader: "x time" })).toEqual(["/signatureSettings/timestampHeader"]);
    for (const signedTemplate of [
      "{timestamp}",
      "{body}{body}",
      "{timestamp}.{body}",
      "{body}{secret}",
      "{body}}",
    ]) {
      expect(faults({ signedTemplate })).toContain("/signatureSettings/signedTemplate");
    }
    expect(faults({ timestampHeader: "x-time", signedTemplate: "{body}" })).toEqual([
      "/signatureSettings/signedTemplate",
    ]);
    expect(
      faults({ timestampHeader: "x-time", signedTemplate: "{timestamp}\n{header:x-id}\n{body}" }),
    ).toEqual([]);
    expect(faults({ prefix: "HMAC " })).toEqual([]);
  });

  test("lets a token have one place", () => {
    const faults = (settings: SchemeSettings) => faultPaths("token", settings);
    expect(faults({ signatureHeader: "Authorization", signatureSettings: { prefix: "Bearer " } })).toEqual(
      [],
    );
    expect(faults({ signatureSettings: { query: "key" } })).toEqual([]);
    expect(faults({ signatureSettings: { query: "key", pointer: "/key" } })).toEqual([
      "/signatureSettings/pointer",
    ]);
    expect(faults({ signatureHeader: "X-Key", signatureSettings: { xmlPath: "/a/b" } })).toEqual([
      "/signatureHeader",
    ]);
    expect(faults({ signatureSettings: { query: "key", prefix: "Bearer " } })).toEqual([
      "/signatureSettings/prefix",
    ]);
    expect(faults({ signatureSettings: { xmlPath: "a/b" } })).toEqual(["/signatureSettings/xmlPath"]);
    expect(faults({ signatureSettings: { pointer: "key" } })).toEqual(["/signatureSettings/pointer"]);
  });

  test("finds nothing wrong exactly where compileVerifier() works", () => {
    for (const scheme of SCHEMES) {
      const rule = ruleOf(scheme, {});
      if (rule.kind !== "none" && rule.secret.generate === undefined) continue;
      const secrets = rule.kind === "none" ? [] : [generateSecret(rule)];
      expect(() => compileVerifier(scheme, {}, secrets)).not.toThrow();
    }
  });
});

describe("checkSecret() and generateSecret()", () => {
  const ruleFor = (name: string, settings: SchemeSettings = {}) => ruleOf(findScheme(name)!, settings);
  const fault = (name: string, secret: string, settings?: SchemeSettings) =>
    checkSecret(ruleFor(name, settings), secret)[0]?.message;

  test("a generated secret is in the scheme's form and never the same", () => {
    const settings: SchemeSettings[] = [
      {},
      { signatureSettings: { keyForm: "hex" } },
      { signatureSettings: { keyForm: "base64" } },
    ];
    for (const scheme of SCHEMES) {
      for (const one of scheme.name === "hmac" ? settings : [{}]) {
        const rule = ruleOf(scheme, one);
        if (rule.kind === "none" || rule.secret.generate === undefined) continue;
        const secret = generateSecret(rule);
        expect(checkSecret(rule, secret)).toEqual([]);
        expect(generateSecret(rule)).not.toBe(secret);
      }
    }
    expect(generateSecret(ruleFor("standard-webhooks"))).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(generateSecret(ruleFor("stripe"))).toMatch(/^whsec_[0-9a-f]{64}$/);
    expect(generateSecret(ruleFor("basic"))).toMatch(/^hub:[A-Za-z0-9_-]{32}$/);
    for (const name of ["none", "discord", "aws-sns"]) {
      expect(() => generateSecret(ruleFor(name))).toThrow(RangeError);
    }
  });

  test("a secret below the scheme's minimum or not in its form is refused, and never repeated", () => {
    expect(fault("hmac", "short")).toBe("must have at least 16 bytes");
    expect(fault("hmac", "1234567890123456")).toBeUndefined();
    expect(fault("hmac", "zz34567890123456", { signatureSettings: { keyForm: "hex" } })).toBe("must be hex");
    expect(fault("hmac", "00".repeat(15), { signatureSettings: { keyForm: "hex" } })).toBe(
      "must have at least 16 bytes",
    );
    expect(fault("stripe", "sk_live_1234567890")).toBe('must begin with "whsec_"');
    expect(fault("standard-webhooks", `whsec_${"A".repeat(28)}`)).toBe("must have at least 24 bytes");
    expect(fault("standard-webhooks", "whsec_***")).toBe('must be base64 after "whsec_"');
    expect(fault("standard-webhooks", `whsk_${Buffer.alloc(64, 1).toString("base64")}`)).toBe(
      "must be base64",
    );
    expect(fault("standard-webhooks", `whpk_${Buffer.alloc(31, 1).toString("base64")}`)).toBe(
      "must have at least 32 bytes",
    );
    expect(fault("standard-webhooks", `whsec_${Buffer.alloc(65, 1).toString("base64")}`)).toBe(
      "must have at most 64 bytes",
    );
    expect(fault("token", "with a space in it")).toBe("must be visible ASCII without spaces");
    expect(fault("basic", "nocolonatallhere")).toContain("user:password");
    expect(fault("basic", "user:short")).toContain("at least 8");
    expect(fault("basic", "user:with:colons and ümlaut")).toBeUndefined();
    expect(fault("none", "anything")).toContain("leave it out");
    for (const name of schemeNames.filter((one) => one !== "none")) expect(fault(name, "")).toBe("is empty");
  });
});
