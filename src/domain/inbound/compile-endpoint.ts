import { compileAddressList } from "../../platform/net/address.ts";
import { partitionOf } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { openSecret } from "../vault/open-secret.ts";
import { type ChallengeAnswerer, compileChallenges } from "./schemes/compile-challenges.ts";
import type { EndpointRow } from "./endpoint-store.ts";
import type { EndpointStatus, HandlerType } from "./endpoint-schema.ts";
import { compileInspector, type InspectionRecipe, type Inspector } from "./inspect-webhook.ts";
import { checkSecret } from "./schemes/check-scheme.ts";
import { findScheme } from "./schemes/registry.ts";
import { type FixedAnswer, type Rule, ruleOf } from "./schemes/scheme.ts";
import { secretNames } from "./secret-names.ts";

/** An endpoint ready for use: what the hot path needs is compiled once, not for each request. */
export interface CachedEndpoint {
  id: string;
  tenantId: string;
  tenantSlug: string;
  endpointPath: string;
  integrationId: string | null;
  status: EndpointStatus;
  /** The endpoint or its integration is paused: accepted, and held until resumed. */
  paused: boolean;
  partition: number;
  eventTypes: readonly string[];
  handlerType: HandlerType;
  transformTemplate: unknown;
  targetService: string | null;
  dedupeWindowSeconds: number;
  maxBodyBytes: number;
  /** Looks into a POST: signature, challenge, event id and type. */
  inspect: Inspector;
  /** What `inspect` was made from, for a thread to do the same. */
  recipe: InspectionRecipe;
  /** The answer to a GET or HEAD by which the provider asks whether somebody listens. */
  challenge: ChallengeAnswerer | undefined;
  isAllowedSource: ((address: string) => boolean) | undefined;
  /** GCRA: one request each `emissionMicros`, with `burstMicros` of them at once. */
  rateLimit: { emissionMicros: number; burstMicros: number } | undefined;
  /** Headers without those that carry secrets. */
  storableHeaders: (headers: Headers) => Record<string, string>;
  /** Path and query without a token that stands in the query. */
  storablePath: (target: string) => string;
  acceptedAnswer: FixedAnswer | undefined;
  /** To a request that proves nothing, where the provider wants another answer than the hub's 401. */
  refusedAnswer: FixedAnswer | undefined;
  /** WWW-Authenticate of the 401, for credentials that stand in `Authorization`. */
  authenticate: string | undefined;
  /** Methods for the 405's Allow header. */
  allow: string;
  /** When the next earlier secret stops verifying; the cache must not keep the entry longer. */
  secretsChangeAtMs: number;
}

/**
 * Opens the secrets of a row and prepares everything that accepting needs.
 *
 * @throws SchemeConfigurationError for an empty secret or settings that the scheme cannot work with
 */
export async function compileEndpoint(runtime: Runtime, row: EndpointRow): Promise<CachedEndpoint> {
  const scheme = findScheme(row.signatureScheme);
  if (!scheme) throw new Error(`Endpoint ${row.id} has the unknown scheme "${row.signatureScheme}"`);
  const { secrets, secretsChangeAtMs } = await openSecrets(runtime, row);
  const rule = ruleOf(scheme, row);
  const hidden = secretNames(scheme, row);
  const recipe: InspectionRecipe = {
    endpointId: row.id,
    schemeName: row.signatureScheme,
    settings: {
      signatureHeader: row.signatureHeader,
      signatureAlgorithm: row.signatureAlgorithm,
      signatureSettings: row.signatureSettings,
    },
    // One from before a change of scheme may not be of the new form: it could verify nothing, and must refuse nothing.
    secrets: secrets.filter((secret, index) => index === 0 || checkSecret(rule, secret).length === 0),
    eventIdSource: row.eventIdSource,
    eventTypeSource: row.eventTypeSource,
  };
  const challenges = scheme.challenges ?? [];
  return {
    id: row.id,
    tenantId: row.tenantId,
    tenantSlug: row.tenantSlug,
    endpointPath: row.endpointPath,
    integrationId: row.integrationId,
    status: row.status,
    paused: row.status === "PAUSED" || row.integrationPaused,
    partition: partitionOf(row.id, runtime.config.streamPartitions),
    eventTypes: row.eventTypes,
    handlerType: row.handlerType,
    transformTemplate: row.transformTemplate,
    targetService: row.targetService,
    dedupeWindowSeconds: row.dedupeWindowSeconds,
    maxBodyBytes: row.maxBodyBytes,
    inspect: compileInspector(recipe),
    recipe,
    challenge: compileChallenges(scheme, recipe.secrets, recipe.settings),
    isAllowedSource:
      row.ipWhitelist === null || row.ipWhitelist.length === 0
        ? undefined
        : compileAddressList(row.ipWhitelist),
    rateLimit: compileRateLimit(row),
    storableHeaders: (headers) => withoutSecrets(headers, hidden.headers),
    storablePath: hidden.query.size === 0 ? (target) => target : (target) => blankQuery(target, hidden.query),
    acceptedAnswer: scheme.accepted,
    refusedAnswer: scheme.refused,
    authenticate: authenticateOf(rule),
    allow: [...new Set(["POST", ...challenges.map((challenge) => challenge.method)])].join(", "),
    secretsChangeAtMs,
  };
}

async function openSecrets(
  runtime: Runtime,
  row: EndpointRow,
): Promise<{ secrets: string[]; secretsChangeAtMs: number }> {
  const place = { tenantId: row.tenantId, table: "webhook_endpoints", rowId: row.id };
  const current = await openSecret(
    runtime,
    runtime.sqlSystem,
    { ...place, column: "secret_key" },
    row.secretKey,
  );
  const secrets = current === "" ? [] : [current];
  let secretsChangeAtMs = Number.POSITIVE_INFINITY;
  for (const previous of row.previousSecrets) {
    const expiresAtMs = Date.parse(previous.expiresAt);
    if (expiresAtMs <= runtime.clock.nowMs()) continue;
    secrets.push(
      await openSecret(
        runtime,
        runtime.sqlSystem,
        { ...place, column: "previous_secrets", path: previous.expiresAt },
        previous.sealed,
      ),
    );
    secretsChangeAtMs = Math.min(secretsChangeAtMs, expiresAtMs);
  }
  return { secrets, secretsChangeAtMs };
}

/** Many HTTP clients send credentials only to a server that has asked for them (RFC 9110 section 11.6.1). */
function authenticateOf(rule: Rule): string | undefined {
  if (rule.kind === "basic") return 'Basic realm="webhooks", charset="UTF-8"';
  if (rule.kind === "jwt") return rule.header === "authorization" ? "Bearer" : undefined;
  if (rule.kind !== "token" || !("header" in rule.place)) return undefined;
  const { header, prefix } = rule.place;
  return header === "authorization" && /^bearer /i.test(prefix) ? "Bearer" : undefined;
}

function compileRateLimit(row: EndpointRow): CachedEndpoint["rateLimit"] {
  if (row.rateLimit === null) return undefined;
  const emissionMicros = Math.max(
    1,
    Math.round((row.rateLimit.windowSeconds * 1_000_000) / row.rateLimit.limit),
  );
  return { emissionMicros, burstMicros: emissionMicros * (row.rateLimit.burst ?? row.rateLimit.limit) };
}

function withoutSecrets(headers: Headers, hidden: ReadonlySet<string>): Record<string, string> {
  const all = headers.toJSON();
  const kept: Record<string, string> = {};
  for (const name in all) if (!hidden.has(name)) kept[name] = all[name]!;
  return kept;
}

function blankQuery(target: string, hidden: ReadonlySet<string>): string {
  const at = target.indexOf("?");
  if (at < 0) return target;
  const pairs = target
    .slice(at + 1)
    .split("&")
    .map((pair) => {
      const [name = ""] = pair.split("=", 1);
      return hidden.has(decodeQueryName(name)) ? `${name}=` : pair;
    });
  return `${target.slice(0, at)}?${pairs.join("&")}`;
}

function decodeQueryName(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll("+", " "));
  } catch {
    return name;
  }
}
