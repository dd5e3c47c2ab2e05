import { describe, expect, test } from "bun:test";
import { checkScheme, checkSecret } from "../../../src/domain/inbound/schemes/check-scheme.ts";
import { compileChallenges } from "../../../src/domain/inbound/schemes/compile-challenges.ts";
import {
  ruleOf,
  type SignatureCause,
  type VerifyOutcome,
} from "../../../src/domain/inbound/schemes/scheme.ts";
import { compileSource, compileVerifier } from "../../../src/domain/inbound/verify-signature.ts";
import { readVectors, sampleOf } from "./read-vectors.ts";
import { hmacText, requestOf } from "./signed-requests.ts";

const vectors = readVectors();

describe.each(vectors.map((vector) => [vector.label, vector] as const))("%s", (_label, vector) => {
  const { scheme, settings = {}, secret } = vector;
  const request = requestOf(sampleOf(vector));

  test("checkScheme() and checkSecret() take its settings and its secret", () => {
    expect(checkScheme(scheme, settings)).toEqual([]);
    expect(checkSecret(ruleOf(scheme, settings), secret)).toEqual([]);
  });

  test("compileVerifier() accepts it", () => {
    expect(compileVerifier(scheme, settings, [secret])(request)).toEqual({ ok: true });
  });

  test("compileSource() reads its event id and type", () => {
    const eventIdOf = compileSource(scheme.eventId);
    const eventId = eventIdOf(request.headers, request.rawBody) ?? null;
    if (vector.eventId === "unique") {
      expect(eventId).not.toBe(null);
      expect(eventIdOf(request.headers, request.rawBody)).not.toBe(eventId!);
    } else expect(eventId).toBe(vector.eventId);
    expect(compileSource(scheme.eventType)(request.headers, request.rawBody) ?? null).toBe(vector.eventType);
  });

  test("compileChallenges() answers its challenge, and no other method", () => {
    const challenge = vector.challenge;
    const answerOf = compileChallenges(scheme, [secret]);
    if (challenge === undefined || answerOf === undefined) return expect(challenge).toBe(undefined);
    const { method, query, requestBody = "", ...answer } = challenge;
    const probe = { ...requestOf({ headers: {}, query, body: requestBody }), method };
    expect(answerOf(probe)).toMatchObject(answer);
    expect(answerOf({ ...probe, method: "PUT" })).toBe(undefined);
  });
});

test("compileVerifier() judges a time in the signed body by the same window, and demands it once", () => {
  const linear = vectors.find(({ scheme }) => scheme.name === "linear")!;
  const verify = compileVerifier(linear.scheme, {}, [linear.secret]);
  const judge = (body: string, nowMs: number) =>
    verify(
      requestOf(
        { headers: { "linear-signature": hmacText(linear.secret, body) }, query: "", body },
        { nowMs },
      ),
    );
  const at = linear.nowMs!;
  const body = (times: string) => `{"type":"Issue"${times}}`;
  expect(judge(body(`,"webhookTimestamp":${at - 300_000}`), at)).toEqual({ ok: true });
  const refused = (cause: SignatureCause): VerifyOutcome => ({ ok: false, cause });
  expect(judge(body(`,"webhookTimestamp":${at - 300_001}`), at)).toEqual(refused("timestamp_stale"));
  expect(judge(body(`,"webhookTimestamp":${at + 300_001}`), at)).toEqual(refused("timestamp_future"));
  const twice = `,"webhookTimestamp":${at},"webhookTimestamp":${at}`;
  for (const times of ["", twice, `,"webhookTimestamp":null`, `,"webhookTimestamp":[${at}]`]) {
    expect(judge(body(times), at)).toEqual(refused("malformed"));
  }
});
