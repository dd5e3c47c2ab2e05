import type { ProviderManifest } from "../manifest-schema.ts";
import { BEARER, clientFields, INVALID_GRANT, JSON_ACCEPT, MINUTE, TOKEN_ANSWER } from "./oauth-parts.ts";

const DOC = "developer.gomotive.com";
const CLIENTS = "client code of several integrators";
const OAUTH_ONLY = { field: "authMethod", equals: ["OAUTH2"] };

/** Motive, which was KeepTruckin when the code was given. */
export const KEEPTRUCKIN: ProviderManifest = {
  manifestVersion: 1,
  code: "KEEPTRUCKIN",
  name: "Motive (KeepTruckin)",
  category: "ELD",
  description:
    "Vehicle locations, hours of service and inspection reports. The version is part of each path.",
  documentationUrl: "https://developer.gomotive.com",
  apiVersion: "v1",
  status: "ACTIVE",
  features: { webhooks: true, batch: false, realtime: true, rateLimiting: true },
  capabilities: ["Location", "HOS", "DVIR"],
  fields: [
    {
      name: "authMethod",
      label: "Log-in",
      kind: "operator",
      type: "string",
      required: false,
      enum: ["OAUTH2", "API_KEY"],
      default: "OAUTH2",
      help: "API_KEY for one's own fleet (Fleet Admin → Developers).",
    },
    ...clientFields("developer.gomotive.com").map((field) => ({ ...field, visibleWhen: OAUTH_ONLY })),
    {
      name: "apiKey",
      label: "API key",
      kind: "secret",
      type: "string",
      required: true,
      visibleWhen: { field: "authMethod", equals: ["API_KEY"] },
    },
    {
      name: "timeZone",
      label: "Time zone of times in answers",
      kind: "connection",
      type: "string",
      required: false,
    },
    {
      name: "metricUnits",
      label: "Metric units",
      kind: "connection",
      type: "boolean",
      required: false,
    },
  ],
  servers: [
    {
      environment: "PRODUCTION",
      baseUrl: "https://api.gomotive.com",
      urls: {
        authorize: "https://api.gomotive.com/oauth/authorize",
        token: "https://api.gomotive.com/oauth/token",
      },
      allowedHosts: ["api.gomotive.com", "gomotive.com", "api.keeptruckin.com", "keeptruckin.com"],
    },
  ],
  auth: {
    type: "OAUTH2_CODE",
    authorize: { server: "authorize", pkce: "S256" },
    scopes: {
      default: [
        "companies.read",
        "users.read",
        "vehicles.read",
        "inspection_reports.read",
        "hos_logs.available_time",
        "hos_logs.hours_of_service",
        "hos_logs.logs",
        "locations.vehicle_locations_list",
        "locations.vehicle_locations_single",
      ],
      optional: [
        "groups.read",
        "eld_devices.read",
        "fault_codes.read",
        "driver_performance_events.read",
        "hos_logs.hos_violation",
        "company_webhooks.manage",
      ],
    },
    token: { server: "token", clientAuth: "body", answer: TOKEN_ANSWER },
    refresh: { rotation: "every_use", defaultLifeSeconds: 7_200, finalErrors: INVALID_GRANT },
    place: BEARER,
  },
  otherAuth: [
    {
      when: { field: "authMethod", equals: "API_KEY" },
      auth: { type: "API_KEY", place: [{ in: "header", name: "X-API-Key", value: "{apiKey}" }] },
    },
  ],
  headers: { ...JSON_ACCEPT, "X-Time-Zone": "[[{timeZone}]]", "X-Metric-Units": "[[{metricUnits}]]" },
  verify: {
    request: { method: "GET", path: "/v1/companies" },
    expect: { status: [200], present: ["/companies"] },
    accountName: "/companies/0/company/name",
    blame: [{ status: [401, 403], fields: ["apiKey", "clientId", "clientSecret"] }],
  },
  quotas: [
    { name: "assumed", limit: 60, windowSeconds: MINUTE, scope: "integration" },
    { name: "history", limit: 10, scope: "integration", paths: ["GET /v3/vehicle_locations/*"] },
  ],
  rateHeaders: [],
  classification: [
    { status: [401], action: "refresh_then_retry", kind: "auth", code: "token_expired" },
    { status: [429], action: "rate_limited", kind: "limit", code: "rate_limited" },
    {
      status: ["4xx"],
      body: { pointer: "/error_message" },
      action: "fail",
      kind: "data",
      code: "refused",
      message: { pointer: "/error_message" },
    },
  ],
  answerType: "json",
  redact: ["/access_token", "/refresh_token", "/secret"],
  webhooks: {
    scheme: "motive",
    routing: { type: "/action" },
    events: [
      "vehicle_location_updated",
      "hos_violation_upserted",
      "inspection_report_upserted",
      "fault_code_opened",
      "fault_code_closed",
    ],
  },
  facts: {
    "/servers/0/baseUrl": { source: `${DOC}; ${CLIENTS}`, mark: "verified" },
    "/servers/0/urls": {
      source: DOC,
      mark: "unverified",
      note: "The reference and the guide name different hosts (gomotive.com, keeptruckin.com).",
    },
    "/servers/0": { source: DOC, mark: "verified" },
    "/auth": { source: DOC, mark: "verified" },
    "/auth/authorize/pkce": {
      source: "not documented; servers ignore parameters they do not know (RFC 6749 section 3.1)",
      mark: "unverified",
    },
    "/otherAuth": { source: `${DOC}; ${CLIENTS}`, mark: "verified" },
    "/headers": { source: DOC, mark: "verified" },
    "/verify": { source: `${DOC}; ${CLIENTS}`, mark: "verified" },
    "/quotas/0": { source: "no limit is published; a careful guess", mark: "unverified" },
    "/quotas/1": { source: DOC, mark: "verified" },
    "/rateHeaders": { source: "none found", mark: "unverified" },
    "/classification": { source: DOC, mark: "verified" },
    "/classification/2": { source: "one client", mark: "unverified" },
    "/webhooks": { source: DOC, mark: "verified" },
  },
};
