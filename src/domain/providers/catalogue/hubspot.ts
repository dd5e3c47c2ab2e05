import type { ProviderManifest } from "../manifest-schema.ts";
import { BEARER, clientFields, INVALID_GRANT, JSON_ACCEPT, MINUTE, TOKEN_ANSWER } from "./oauth-parts.ts";

const OAS = "HubSpot public API specifications 2026-08-21";
const DOC = "developers.hubspot.com";
const RECORDED = "recorded answers of integrators";

/** HubSpot: app and limits per account; a developer test account stands for a sandbox, at the same addresses. */
export const HUBSPOT: ProviderManifest = {
  manifestVersion: 1,
  code: "HUBSPOT",
  name: "HubSpot",
  category: "CRM",
  description: "Contacts, companies and deals. For trials: a developer test account at the same addresses.",
  documentationUrl: "https://developers.hubspot.com",
  apiVersion: "v3",
  status: "ACTIVE",
  features: { webhooks: true, batch: true, realtime: true, rateLimiting: true },
  capabilities: ["Contacts", "Companies", "Deals"],
  fields: [
    ...clientFields("developers.hubspot.com"),
    {
      name: "hubId",
      label: "Account",
      kind: "derived",
      type: "string",
      required: false,
      from: { token: "/hub_id" },
    },
  ],
  servers: [
    {
      environment: "PRODUCTION",
      baseUrl: "https://api.hubapi.com",
      urls: {
        authorize: "https://app.hubspot.com/oauth/authorize",
        token: "https://api.hubapi.com/oauth/v3/token",
        revoke: "https://api.hubapi.com/oauth/v3/token/revoke",
        introspect: "https://api.hubapi.com/oauth/v3/token/introspect",
      },
      allowedHosts: ["api.hubapi.com", "app.hubspot.com", "app-eu1.hubspot.com"],
    },
  ],
  auth: {
    type: "OAUTH2_CODE",
    authorize: { server: "authorize", pkce: "S256" },
    scopes: {
      default: [
        "oauth",
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
        "crm.objects.companies.read",
        "crm.objects.companies.write",
        "crm.objects.deals.read",
        "crm.objects.deals.write",
        "crm.objects.owners.read",
      ],
    },
    token: {
      server: "token",
      clientAuth: "body",
      answer: { ...TOKEN_ANSWER, capture: { hubId: "/hub_id" } },
    },
    refresh: { rotation: "none", defaultLifeSeconds: 30 * MINUTE, finalErrors: INVALID_GRANT },
    revoke: {
      request: {
        method: "POST",
        server: "revoke",
        path: "",
        body: { type: "form", fields: { token: "{token}" } },
      },
      clientAuth: "body",
      token: "refresh",
    },
    introspect: {
      request: {
        method: "POST",
        server: "introspect",
        path: "",
        body: { type: "form", fields: { token: "{token}" } },
      },
      clientAuth: "body",
      token: "access",
    },
    place: BEARER,
  },
  headers: JSON_ACCEPT,
  verify: {
    request: { method: "GET", path: "/account-info/v3/details" },
    expect: { status: [200], present: ["/portalId"] },
    accountName: "/portalId",
    blame: [{ status: [401, 403], fields: ["clientId", "clientSecret"] }],
  },
  quotas: [
    { name: "tenSeconds", limit: 110, windowSeconds: 10, scope: "integration" },
    {
      name: "search",
      limit: 5,
      windowSeconds: 1,
      scope: "integration",
      paths: ["POST /crm/v3/objects/*/search", "POST /crm/objects/*/*/search"],
    },
  ],
  rateHeaders: [
    { quota: "tenSeconds", limit: "X-HubSpot-RateLimit-Max", remaining: "X-HubSpot-RateLimit-Remaining" },
  ],
  classification: [
    {
      status: [429],
      body: { pointer: "/policyName", equals: ["DAILY"] },
      action: "rate_limited",
      kind: "limit",
      code: "daily_limit",
      message: { pointer: "/message" },
      retryAfterSeconds: 3_600,
    },
    {
      status: [429],
      action: "rate_limited",
      kind: "limit",
      code: "rate_limited",
      message: { pointer: "/message" },
      retryAfterSeconds: 10,
    },
    {
      status: [401],
      action: "refresh_then_retry",
      kind: "auth",
      code: "token_expired",
      message: { pointer: "/message" },
    },
    { status: [403], action: "fail", kind: "auth", code: "scope_missing", message: { pointer: "/message" } },
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
  redact: ["/access_token", "/refresh_token"],
  webhooks: {
    scheme: "hubspot",
    routing: {
      items: "",
      type: "/subscriptionType",
      id: ["/eventId", "/subscriptionId", "/occurredAt"],
      account: { field: "hubId", pointer: "/portalId" },
    },
  },
  facts: {
    "/servers/0": { source: `${OAS}; ${DOC}`, mark: "verified" },
    "/servers/0/urls/authorize": {
      source: DOC,
      mark: "unverified",
      note: "Accounts in the EU may log in at app-eu1.hubspot.com.",
    },
    "/auth": { source: OAS, mark: "verified" },
    "/auth/authorize/pkce": {
      source: "not documented; servers ignore parameters they do not know (RFC 6749 section 3.1)",
      mark: "unverified",
    },
    "/auth/refresh/rotation": { source: "not documented; what comes back is stored", mark: "unverified" },
    "/headers": { source: OAS, mark: "verified" },
    "/verify": { source: OAS, mark: "verified" },
    "/quotas": { source: `${DOC}; public OAuth apps`, mark: "verified" },
    "/quotas/1/limit": { source: "5 in newer text, 4 in older", mark: "unverified" },
    "/rateHeaders": { source: RECORDED, mark: "secondary" },
    "/classification": { source: `${OAS}; ${RECORDED}`, mark: "verified" },
    "/webhooks": { source: `${OAS}; ${DOC}`, mark: "verified" },
    "/webhooks/routing/id": { source: "eventId alone is not promised to be unique", mark: "unverified" },
  },
};
