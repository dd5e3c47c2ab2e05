import type { EventIdSource } from "./endpoint-schema.ts";
import { ruleOf, type Scheme, type SchemeSettings } from "./schemes/scheme.ts";

/** Headers that carry credentials or the proof itself, whatever the scheme. Never stored. */
const SECRET_HEADERS = [
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
  "x-auth-token",
  "x-access-token",
];

/**
 * Names of headers and query parameters that must not be stored for an endpoint: what its scheme compares or verifies.
 *
 * @returns header names in lower case, query names as they are written
 */
export function secretNames(
  scheme: Scheme,
  settings: SchemeSettings,
): { headers: Set<string>; query: Set<string> } {
  const headers = new Set(SECRET_HEADERS);
  const query = new Set<string>();
  const rule = ruleOf(scheme, settings);
  if (rule.kind === "signature") for (const names of rule.headers) headers.add(names.signature.toLowerCase());
  if (rule.kind === "composed") for (const name of rule.headers) headers.add(name);
  if (rule.kind === "jwt") headers.add(rule.header);
  const places = [...(rule.kind === "token" ? [rule.place] : []), ...(scheme.secretFields ?? [])];
  for (const place of places) {
    if ("header" in place) headers.add(place.header.toLowerCase());
    if ("query" in place) query.add(place.query);
  }
  return { headers, query };
}

/**
 * Whether an event's id or type would be read where the endpoint's secret or signature stands: ids and types are stored
 * and shown, those never are.
 */
export function isSecretPlace(scheme: Scheme, settings: SchemeSettings, source: EventIdSource): boolean {
  if ("header" in source) return secretNames(scheme, settings).headers.has(source.header.toLowerCase());
  if (!("pointer" in source)) return false;
  const rule = ruleOf(scheme, settings);
  const places = [
    ...(rule.kind === "token" && rule.isPublic !== true ? [rule.place] : []),
    ...(scheme.secretFields ?? []),
  ];
  return places.some((place) => "pointer" in place && place.pointer === source.pointer);
}
