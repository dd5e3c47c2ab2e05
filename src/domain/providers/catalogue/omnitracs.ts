import type { ProviderManifest } from "../manifest-schema.ts";
import { JSON_ACCEPT, MINUTE } from "./oauth-parts.ts";

const UNKNOWN = "no public document; the customer's own contract documents say";

/** Omnitracs: nothing of its REST interface is public, so that everything is asked for and nothing works without. */
export const OMNITRACS: ProviderManifest = {
  manifestVersion: 1,
  code: "OMNITRACS",
  name: "Omnitracs",
  category: "ELD",
  description:
    "Vehicle locations. The address, the key's header and the paths stand in the customer's contract documents.",
  documentationUrl: "https://kb.omnitracs.com",
  status: "ACTIVE",
  features: { webhooks: false, batch: false, realtime: false, rateLimiting: true },
  capabilities: ["Location tracking"],
  fields: [
    {
      name: "apiBaseUrl",
      label: "Address of the API",
      kind: "connection",
      type: "url",
      required: true,
      help: "As the contract documents have it, with the path that all calls share.",
    },
    {
      name: "apiKeyHeader",
      label: "Header of the API key",
      kind: "connection",
      type: "string",
      required: true,
      pattern: "[A-Za-z0-9-]{1,100}",
      help: "As the contract documents have it.",
    },
    { name: "apiKey", label: "API key", kind: "secret", type: "string", required: true },
    {
      name: "verifyPath",
      label: "Path for the connection test",
      kind: "connection",
      type: "path",
      required: true,
      help: "A GET below the address that lists something small.",
    },
  ],
  servers: [{ environment: "PRODUCTION", baseUrl: "{apiBaseUrl}", allowedHosts: ["{apiBaseUrl}"] }],
  auth: { type: "API_KEY", place: [{ in: "header", name: "{apiKeyHeader}", value: "{apiKey}" }] },
  headers: JSON_ACCEPT,
  verify: {
    request: { method: "GET", path: "/{verifyPath}" },
    expect: { status: [200, 204] },
    blame: [
      { status: [401, 403], fields: ["apiKey", "apiKeyHeader"] },
      { status: [404, 405], fields: ["apiBaseUrl", "verifyPath"] },
    ],
  },
  quotas: [{ name: "assumed", limit: 60, windowSeconds: MINUTE, scope: "integration" }],
  rateHeaders: [],
  classification: [
    { status: [401, 403], action: "fail", kind: "auth", code: "key_refused" },
    { status: [429], action: "rate_limited", kind: "limit", code: "rate_limited" },
  ],
  facts: {
    "/servers": { source: UNKNOWN, mark: "unverified" },
    "/auth": { source: UNKNOWN, mark: "unverified" },
    "/headers": { source: UNKNOWN, mark: "unverified" },
    "/verify": { source: UNKNOWN, mark: "unverified" },
    "/quotas": { source: "no limit is published; a careful guess", mark: "unverified" },
    "/rateHeaders": { source: UNKNOWN, mark: "unverified" },
    "/classification": { source: UNKNOWN, mark: "unverified" },
  },
};
