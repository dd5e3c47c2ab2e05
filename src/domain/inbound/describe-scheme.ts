import type { SchemeDescription } from "./scheme-schema.ts";
import type { DigestEncoding } from "../../platform/crypto/hmac.ts";
import {
  type Algorithm,
  type PrefixedHashAlgorithm,
  type Rule,
  ruleOf,
  type Scheme,
  type SecretRule,
} from "./schemes/scheme.ts";

/**
 * Describes a scheme under default settings.
 *
 * @returns a new object with nothing of the scheme in it, so that whoever gets it may change it
 */
export function describeScheme(scheme: Scheme): SchemeDescription {
  const rule = ruleOf(scheme, {});
  return structuredClone({
    name: scheme.name,
    title: scheme.title,
    documentationUrl: scheme.source.startsWith("https:") ? scheme.source : null,
    proof: rule.kind,
    headers: headersOf(rule),
    tokenPlace: rule.kind === "token" ? rule.place : null,
    algorithm: algorithmOf(rule),
    toleranceSeconds: "time" in rule ? (rule.time?.toleranceSeconds ?? null) : null,
    ownerChooses: [...(scheme.ownerChooses ?? [])],
    // A schema's symbols and optional marks are not part of its JSON.
    settings:
      scheme.settings === undefined
        ? null
        : (JSON.parse(JSON.stringify(scheme.settings)) as Record<string, unknown>),
    secret: rule.kind === "none" ? null : describeSecret(rule.secret),
    eventId: scheme.eventId ?? null,
    eventType: scheme.eventType ?? null,
    challenges: (scheme.challenges ?? []).map(({ method, unsigned, value }) => ({
      method,
      signed: method === "POST" && unsigned !== true,
      answers: value ?? null,
    })),
    handshakeHeader: scheme.handshake?.header ?? null,
    acceptedAnswer:
      scheme.accepted === undefined
        ? null
        : {
            status: scheme.accepted.status,
            contentType: scheme.accepted.contentType ?? null,
            body: scheme.accepted.body,
          },
  }) as SchemeDescription;
}

function headersOf(rule: Rule): string[] {
  switch (rule.kind) {
    case "signature":
      return rule.headers.flatMap(({ signature, timestamp, id }) =>
        [signature, timestamp, id].filter((name) => name !== undefined),
      );
    case "composed":
      return [...rule.headers];
    case "jwt":
      return [rule.header];
    case "token":
      return "header" in rule.place ? [rule.place.header] : [];
    case "basic":
      return ["authorization"];
    default:
      return [];
  }
}

function algorithmOf(rule: Rule): string | null {
  if (rule.kind === "composed") return algorithmName(rule.algorithm);
  if (rule.kind !== "signature") return null;
  const { grammar } = rule;
  const algorithms = grammar.form === "whole" ? [grammar.algorithm] : Object.values(grammar.algorithms);
  return algorithms.map(algorithmName).join(" or ");
}

function algorithmName(algorithm: Algorithm | PrefixedHashAlgorithm): string {
  switch (algorithm.type) {
    case "hmac":
      return `HMAC-${hashName(algorithm)}`;
    case "prefixed-hash":
      return hashName(algorithm);
    case "ed25519":
      return "Ed25519";
    case "ecdsa-p256":
      return "ECDSA P-256";
  }
}

function hashName({ hash, encoding }: { hash: string; encoding: DigestEncoding }): string {
  return `${hash.toUpperCase()}, ${encoding}`;
}

function describeSecret({ keys, generate }: SecretRule): NonNullable<SchemeDescription["secret"]> {
  return {
    forms: keys.map(({ prefix, form, use, bytesMin, bytesMax, pattern }) => ({
      prefix,
      encoding: form,
      use,
      bytesMin,
      bytesMax: bytesMax ?? null,
      rule: pattern?.message ?? null,
    })),
    generated: generate !== undefined,
  };
}
