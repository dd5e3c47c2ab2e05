import type { ProviderManifest, Server } from "../manifest-schema.ts";
import { JSON_ACCEPT } from "./oauth-parts.ts";

const OAS = "Samsara's specification 2024-11-18";
const DOC = "developers.samsara.com";

const server = (region: string, host: string): Server => ({
  environment: "PRODUCTION",
  region,
  baseUrl: `https://${host}`,
  allowedHosts: [host],
});

/** Samsara: a token without an end, of one region. No sandbox: a test organisation. */
export const SAMSARA: ProviderManifest = {
  manifestVersion: 1,
  code: "SAMSARA",
  name: "Samsara",
  category: "ELD",
  description: "Vehicle locations and diagnostics, hours of service. For trials: a test organisation.",
  documentationUrl: "https://developers.samsara.com",
  status: "ACTIVE",
  features: { webhooks: true, batch: false, realtime: true, rateLimiting: true },
  capabilities: ["Location", "HOS", "Diagnostics"],
  fields: [
    {
      name: "apiToken",
      label: "API token",
      kind: "secret",
      type: "string",
      required: true,
      example: "samsara_api_…",
      help: "Settings → API tokens; with the scope Read Org Information, and those of the data that is wanted.",
    },
    {
      name: "region",
      label: "Region",
      kind: "connection",
      type: "string",
      required: false,
      enum: ["US", "EU"],
      default: "US",
    },
  ],
  regionField: "region",
  servers: [server("US", "api.samsara.com"), server("EU", "api.eu.samsara.com")],
  auth: { type: "BEARER", token: "{apiToken}" },
  headers: JSON_ACCEPT,
  verify: {
    request: { method: "GET", path: "/me" },
    expect: { status: [200], present: ["/data/id"] },
    accountName: "/data/name",
    blame: [
      { status: [401], fields: ["apiToken", "region"] },
      { status: [403], fields: ["apiToken"] },
    ],
  },
  quotas: [
    { name: "perToken", limit: 150, windowSeconds: 1, scope: "token" },
    { name: "perOrganization", limit: 200, windowSeconds: 1, scope: "integration" },
    { name: "vehicles", limit: 25, windowSeconds: 1, scope: "integration", paths: ["GET /fleet/vehicles"] },
    {
      name: "hos",
      limit: 5,
      windowSeconds: 1,
      scope: "integration",
      paths: ["GET /fleet/hos/logs", "GET /fleet/hos/violations"],
    },
    { name: "dvirs", limit: 5, windowSeconds: 1, scope: "integration", paths: ["GET /dvirs/stream"] },
    {
      name: "stream",
      limit: 10,
      windowSeconds: 1,
      scope: "integration",
      paths: ["GET /assets/location-and-speed/stream"],
    },
  ],
  rateHeaders: [],
  classification: [
    {
      status: [401],
      action: "fail",
      kind: "auth",
      code: "token_refused",
      message: { text: "The token was refused; it may belong to the other region (US, EU)." },
    },
    {
      status: [403],
      action: "fail",
      kind: "auth",
      code: "scope_missing",
      message: { pointer: "/message" },
    },
    { status: [429], action: "rate_limited", kind: "limit", code: "rate_limited" },
    {
      status: ["4xx"],
      body: { pointer: "/message" },
      action: "fail",
      kind: "data",
      code: "refused",
      message: { pointer: "/message" },
    },
  ],
  answerType: "json",
  redact: ["/data/secretKey"],
  webhooks: {
    scheme: "samsara",
    routing: { type: "/eventType", id: ["/eventId"] },
    events: ["VehicleUpdated", "DvirSubmitted", "AlertIncident", "GeofenceEntry", "GeofenceExit"],
  },
  facts: {
    "/servers": { source: "samsara-python 14.7.0", mark: "verified" },
    "/auth": { source: DOC, mark: "verified" },
    "/verify": { source: OAS, mark: "verified" },
    "/quotas": { source: DOC, mark: "verified" },
    "/rateHeaders": { source: "none documented besides Retry-After", mark: "verified" },
    "/classification": { source: `${OAS}; ${DOC}`, mark: "verified" },
    "/headers": { source: OAS, mark: "verified" },
    "/webhooks": { source: `${OAS}; ${DOC}`, mark: "verified" },
  },
};
