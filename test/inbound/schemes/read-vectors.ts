import { readdirSync, readFileSync } from "node:fs";
import { findScheme } from "../../../src/domain/inbound/schemes/registry.ts";
import {
  type FixedAnswer,
  type Rule,
  ruleOf,
  type Scheme,
  type SchemeSettings,
  type SecretRule,
} from "../../../src/domain/inbound/schemes/scheme.ts";
import { rememberCertificate } from "../../../src/domain/inbound/schemes/signing-certificates.ts";
import { NOW_MS, type SignedSample } from "./signed-requests.ts";

/** One request of a provider, as it stands in `vectors/<scheme>.json`; the file holds a list of them. */
export interface Vector {
  about: string;
  /** Page or package that the rule, and a published signature, were taken from. */
  source: string;
  /** `published`: the signature is the source's own; `computed`: made by its rule with another program than the hub. */
  origin: "published" | "computed";
  settings?: SchemeSettings;
  secret: string;
  /** The published secret is shorter than the hub accepts; it is taken for this test alone. */
  shortSecret?: boolean;
  headers: Record<string, string>;
  /** Headers of which every byte counts; all of them when left out. */
  proof?: string[];
  body: string;
  /** Without the question mark. */
  query?: string;
  /** Where the URL is signed and another than the samples' one. */
  publicUrl?: string;
  /** False where only some fields of the body are signed, or a token stands in it. */
  bodySigned?: false;
  /** What stands at the address of the certificate. */
  certificate?: { url: string; pem: string };
  /** When the request arrives; the samples' time when left out. */
  nowMs?: number;
  /** Null: the body stands for it. `unique`: another one for each request. */
  eventId: string | null;
  eventType: string | null;
  /** A request by which the provider asks whether somebody listens, and the answer that it gets. */
  challenge?: FixedAnswer & { method: string; query: string; requestBody?: string };
}

/** A vector with its scheme. */
export interface SchemeVector extends Vector {
  label: string;
  scheme: Scheme;
}

const FOLDER = new URL("./vectors/", import.meta.url);

/** Every vector of `vectors/`, in the order of the schemes' names. */
export function readVectors(): SchemeVector[] {
  return readdirSync(FOLDER)
    .sort()
    .flatMap((file) => {
      const name = file.replace(/\.json$/, "");
      const scheme = findScheme(name);
      if (scheme === undefined) throw new Error(`There is no scheme for ${file}`);
      const vectors = JSON.parse(readFileSync(new URL(file, FOLDER), "utf8")) as Vector[];
      return vectors.map((vector) => ({
        ...vector,
        label: `${name}: ${vector.about}`,
        scheme: vector.shortSecret === true ? withShortSecrets(scheme) : scheme,
      }));
    });
}

/** A vector as a sample that the tests of changed bytes take. */
export function sampleOf(vector: SchemeVector): SignedSample {
  const settings = vector.settings ?? {};
  const { certificate } = vector;
  if (certificate !== undefined) {
    rememberCertificate(certificate.url, certificate.pem, vector.nowMs ?? NOW_MS);
  }
  return {
    label: vector.label,
    scheme: vector.scheme.name,
    accepting: vector.scheme,
    settings,
    secret: vector.secret,
    headers: vector.headers,
    query: vector.query ?? "",
    ...(vector.publicUrl === undefined ? {} : { publicUrl: vector.publicUrl }),
    body: vector.body,
    signedHeaders: vector.proof ?? headersOf(ruleOf(vector.scheme, settings), vector.headers),
    bodyIsSigned:
      vector.bodySigned !== false && ["signature", "composed"].includes(ruleOf(vector.scheme, settings).kind),
    nowMs: vector.nowMs ?? NOW_MS,
  };
}

/** The headers of a vector without those that its scheme only reads the event's id or type from. */
function headersOf(rule: Rule, headers: Record<string, string>): string[] {
  const names = Object.keys(headers);
  if (rule.kind !== "signature") return names;
  const proving = new Set(rule.headers.flatMap((spelling) => Object.values(spelling) as string[]));
  return names.filter((name) => proving.has(name));
}

function withShortSecrets(scheme: Scheme): Scheme {
  const shorter = (secret: SecretRule): SecretRule => ({
    ...secret,
    keys: secret.keys.map((key) => ({ ...key, bytesMin: 1 })),
  });
  return {
    ...scheme,
    rule: (settings) => {
      const rule = ruleOf(scheme, settings);
      return "secret" in rule ? { ...rule, secret: shorter(rule.secret) } : rule;
    },
  };
}
