import { describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { findScheme, SCHEMES } from "../../../src/domain/inbound/schemes/registry.ts";
import { compileVerifier } from "../../../src/domain/inbound/verify-signature.ts";
import { readVectors, sampleOf } from "./read-vectors.ts";
import { requestOf, type SignedSample, signedSamples } from "./signed-requests.ts";

const samples = [...(await signedSamples()), ...readVectors().map(sampleOf)];

const P256_KEY = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .publicKey.export({ format: "der", type: "spki" })
  .toString("base64");

const schemeOf = (sample: SignedSample) => sample.accepting ?? findScheme(sample.scheme)!;

function verifierOf(sample: SignedSample) {
  return compileVerifier(schemeOf(sample), sample.settings, [sample.secret]);
}

test("the samples and vectors cover every scheme that proves its sender", () => {
  const proving = SCHEMES.map((scheme) => scheme.name).filter((name) => name !== "none");
  expect(new Set(samples.map((sample) => sample.scheme))).toEqual(new Set(proving));
});

describe.each(samples.map((sample) => [sample.label, sample] as const))("%s", (_label, sample) => {
  const verify = verifierOf(sample);

  test("compileVerifier() accepts the signed request", () => {
    expect(verify(requestOf(sample))).toEqual({ ok: true });
  });

  test("compileVerifier() refuses any changed byte of the signed body", () => {
    if (!sample.bodyIsSigned) return;
    const original = requestOf(sample).rawBody;
    for (let at = 0; at < original.length; at++) {
      for (const flip of [0x01, 0x20, 0x80]) {
        const rawBody = original.slice();
        rawBody[at]! ^= flip;
        expect(verify(requestOf(sample, { rawBody })).ok).toBe(false);
      }
    }
    expect(verify(requestOf(sample, { rawBody: original.slice(1) })).ok).toBe(false);
    expect(verify(requestOf(sample, { rawBody: new Uint8Array([...original, 0x0a]) })).ok).toBe(false);
    expect(verify(requestOf(sample, { rawBody: new Uint8Array() })).ok).toBe(false);
  });

  test("compileVerifier() refuses any changed, added or missing character of the signed headers", () => {
    for (const name of sample.signedHeaders) {
      const value = sample.headers[name]!;
      for (let at = 0; at <= value.length; at++) {
        const variants = [
          value.slice(0, at) + String.fromCharCode(value.charCodeAt(at) ^ 0x01) + value.slice(at + 1),
          value.slice(0, at) + value.slice(at + 1),
          `${value.slice(0, at)}0${value.slice(at)}`,
        ];
        for (const variant of variants) {
          // Headers are trimmed on the way, and `Basic` and `Bearer` have no case: neither changes what was proved.
          if (variant.trim() === value || (name === "authorization" && at < value.indexOf(" "))) continue;
          const request = requestOf({ ...sample, headers: { ...sample.headers, [name]: variant } });
          const outcome = verify(request);
          if (outcome.ok) throw new Error(`accepted ${name}: ${variant}`);
        }
      }
    }
  });

  test("compileVerifier() refuses a missing, empty or doubled header", () => {
    for (const name of sample.signedHeaders) {
      const { [name]: value, ...others } = sample.headers;
      expect(verify(requestOf({ ...sample, headers: others }))).toEqual({
        ok: false,
        cause: "header_missing",
      });
      expect(verify(requestOf({ ...sample, headers: { ...others, [name]: "" } })).ok).toBe(false);
      const headers = new Headers(others);
      headers.append(name, value!);
      headers.append(name, value!);
      const cause = name === "x-partner-id" ? "mismatch" : "header_doubled";
      expect(verify(requestOf(sample, { headers }))).toEqual({ ok: false, cause });
    }
  });

  test("compileVerifier() refuses another secret, and accepts the old one beside a new one", () => {
    const scheme = schemeOf(sample);
    const other = otherSecret(sample);
    expect(compileVerifier(scheme, sample.settings, [other])(requestOf(sample))).toEqual({
      ok: false,
      cause: "mismatch",
    });
    expect(compileVerifier(scheme, sample.settings, [other, sample.secret])(requestOf(sample))).toEqual({
      ok: true,
    });
  });

  test("compileVerifier() throws on no secret and on an empty one", () => {
    const scheme = schemeOf(sample);
    expect(() => compileVerifier(scheme, sample.settings, [])).toThrow("needs a secret");
    expect(() => compileVerifier(scheme, sample.settings, [""])).toThrow("is empty");
    expect(() => compileVerifier(scheme, sample.settings, [sample.secret, ""])).toThrow("is empty");
  });
});

/** A secret of the same form: one character of the key's text is another. */
function otherSecret({ secret, scheme }: SignedSample): string {
  // Hardly any other text is a point of its curve.
  if (scheme === "sendgrid") return P256_KEY;
  const at = secret.length - 10;
  return secret.slice(0, at) + (secret[at] === "A" ? "B" : "A") + secret.slice(at + 1);
}
