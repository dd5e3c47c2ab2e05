import type { TokenEndpoint } from "../auth-schema.ts";
import type { ProviderManifest } from "../manifest-schema.ts";
import {
  BEARER,
  clientFields,
  DAY,
  INVALID_GRANT,
  JSON_ACCEPT,
  MINUTE,
  TOKEN_ANSWER,
} from "./oauth-parts.ts";

const OAS = "XeroAPI/Xero-OpenAPI 16.1.0";
const DOC = "developer.xero.com";

const TOKEN: TokenEndpoint = { server: "token", clientAuth: "basic", answer: TOKEN_ANSWER };
const SCOPES = [
  "accounting.invoices",
  "accounting.payments",
  "accounting.contacts",
  "accounting.manualjournals",
  "accounting.settings",
];
const TWO_LOGINS = { field: "authMethod", equals: ["AUTHORIZATION_CODE"] };

/** Xero: one token may reach many organisations, so each call names the one that is meant. No sandbox: a demo company. */
export const XERO: ProviderManifest = {
  manifestVersion: 1,
  code: "XERO",
  name: "Xero",
  category: "ACCOUNTING",
  description: "Invoices, payments, contacts and journals of one organisation. For trials: the demo company.",
  documentationUrl: "https://developer.xero.com",
  apiVersion: "2.0",
  status: "ACTIVE",
  features: { webhooks: true, batch: true, realtime: false, rateLimiting: true },
  capabilities: ["Invoices", "Payments", "GL"],
  fields: [
    {
      name: "authMethod",
      label: "Kind of app",
      kind: "operator",
      type: "string",
      required: false,
      enum: ["AUTHORIZATION_CODE", "CUSTOM_CONNECTION"],
      default: "AUTHORIZATION_CODE",
    },
    ...clientFields("developer.xero.com"),
    {
      name: "tenantId",
      label: "Organisation",
      kind: "connection",
      type: "string",
      required: false,
      help: "Left out: asked after the log-in, where it reaches several.",
      visibleWhen: TWO_LOGINS,
      options: {
        request: { method: "GET", server: "connections", path: "" },
        items: "",
        value: "/tenantId",
        label: "/tenantName",
      },
    },
  ],
  servers: [
    {
      environment: "PRODUCTION",
      baseUrl: "https://api.xero.com/api.xro/2.0",
      urls: {
        authorize: "https://login.xero.com/identity/connect/authorize",
        token: "https://identity.xero.com/connect/token",
        revoke: "https://identity.xero.com/connect/revocation",
        connections: "https://api.xero.com/connections",
      },
      allowedHosts: ["api.xero.com", "login.xero.com", "identity.xero.com"],
    },
  ],
  auth: {
    type: "OAUTH2_CODE",
    authorize: { server: "authorize", pkce: "S256" },
    scopes: {
      default: ["openid", "offline_access", ...SCOPES],
      optional: ["accounting.transactions", "accounting.journals.read", "accounting.banktransactions"],
    },
    token: TOKEN,
    refresh: {
      rotation: "every_use",
      reuseGraceSeconds: 30 * MINUTE,
      idleLifeSeconds: 60 * DAY,
      defaultLifeSeconds: 30 * MINUTE,
      finalErrors: INVALID_GRANT,
    },
    revoke: {
      request: {
        method: "POST",
        server: "revoke",
        path: "",
        body: { type: "form", fields: { token: "{token}" } },
      },
      clientAuth: "basic",
      token: "refresh",
    },
    place: BEARER,
  },
  otherAuth: [
    {
      when: { field: "authMethod", equals: "CUSTOM_CONNECTION" },
      auth: {
        type: "OAUTH2_CLIENT_CREDENTIALS",
        scopes: { default: SCOPES },
        token: TOKEN,
        refresh: { rotation: "none", defaultLifeSeconds: 30 * MINUTE, finalErrors: [] },
        place: BEARER,
      },
    },
  ],
  headers: { ...JSON_ACCEPT, "xero-tenant-id": "[[{tenantId}]]" },
  verify: {
    request: { method: "GET", path: "/Organisation" },
    expect: { status: [200], present: ["/Organisations"] },
    accountName: "/Organisations/0/Name",
    blame: [
      { status: [401], fields: ["clientId", "clientSecret"] },
      { status: [403], fields: ["tenantId"] },
    ],
  },
  quotas: [
    { name: "minute", limit: 60, windowSeconds: MINUTE, scope: "integration" },
    { name: "day", limit: 5_000, windowSeconds: DAY, scope: "integration" },
    { name: "concurrent", limit: 5, scope: "integration" },
    { name: "appMinute", limit: 10_000, windowSeconds: MINUTE, scope: "provider" },
  ],
  rateHeaders: [
    { quota: "minute", remaining: "X-MinLimit-Remaining" },
    { quota: "day", remaining: "X-DayLimit-Remaining" },
    { quota: "appMinute", remaining: "X-AppMinLimit-Remaining" },
  ],
  classification: [
    { status: [401], action: "refresh_then_retry", kind: "auth", code: "token_expired" },
    {
      status: [403],
      action: "fail",
      kind: "auth",
      code: "organisation_not_connected",
      message: {
        text: "The log-in does not reach this organisation; choose another one or connect it again.",
      },
    },
    {
      status: [429],
      header: { name: "X-Rate-Limit-Problem", equals: ["day"] },
      action: "rate_limited",
      kind: "limit",
      code: "daily_limit",
    },
    {
      status: [429],
      header: { name: "X-Rate-Limit-Problem", equals: ["concurrent"] },
      action: "rate_limited",
      kind: "limit",
      code: "concurrency_limit",
      retryAfterSeconds: 1,
    },
    {
      status: [429],
      action: "rate_limited",
      kind: "limit",
      code: "rate_limited",
      retryAfterSeconds: MINUTE,
    },
    {
      status: ["4xx"],
      body: { pointer: "/Message" },
      action: "fail",
      kind: "data",
      code: "refused",
      message: { pointer: "/Message" },
    },
  ],
  answerType: "json",
  idempotency: { in: "header", name: "Idempotency-Key", methods: ["POST", "PUT", "DELETE"], lengthMax: 128 },
  redact: ["/access_token", "/refresh_token", "/id_token"],
  webhooks: {
    scheme: "xero",
    routing: {
      items: "/events",
      type: "/eventType",
      id: ["/tenantId", "/resourceId", "/eventType", "/eventDateUtc"],
      account: { field: "tenantId", pointer: "/tenantId" },
    },
    events: ["CREATE", "UPDATE"],
  },
  facts: {
    "/servers/0": { source: OAS, mark: "verified" },
    "/servers/0/urls/revoke": { source: "not shown by the specification", mark: "unverified" },
    "/auth": { source: OAS, mark: "verified" },
    "/auth/authorize/pkce": {
      source: "not in the specification; servers ignore parameters they do not know (RFC 6749 section 3.1)",
      mark: "unverified",
    },
    "/auth/scopes": {
      source: `${OAS}; ${DOC}`,
      mark: "unverified",
      note: "Apps made since 2 March 2026 need granular scopes, whose exact names are not sure.",
    },
    "/auth/refresh": { source: DOC, mark: "secondary" },
    "/auth/refresh/reuseGraceSeconds": { source: "community.xero.com, staff", mark: "unverified" },
    "/auth/refresh/idleLifeSeconds": {
      source: "60 days in current clients, 30 in a thread of Xero's staff",
      mark: "unverified",
    },
    "/auth/revoke": { source: "not shown by the specification", mark: "unverified" },
    "/otherAuth": { source: OAS, mark: "verified" },
    "/otherAuth/0/auth/scopes": { source: `${OAS}; ${DOC}`, mark: "unverified" },
    "/headers": { source: OAS, mark: "verified" },
    "/verify": { source: OAS, mark: "verified" },
    "/quotas": { source: DOC, mark: "verified" },
    "/rateHeaders": { source: DOC, mark: "verified" },
    "/classification": { source: `${OAS}; ${DOC}`, mark: "verified" },
    "/idempotency": { source: OAS, mark: "verified" },
    "/webhooks": { source: OAS, mark: "verified" },
  },
};
