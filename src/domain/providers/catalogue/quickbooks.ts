import type { ProviderManifest, Server } from "../manifest-schema.ts";
import {
  BEARER,
  clientFields,
  DAY,
  HOUR,
  INVALID_GRANT,
  JSON_ACCEPT,
  MINUTE,
  TOKEN_ANSWER,
} from "./oauth-parts.ts";

const DOC = "developer.intuit.com";
const SDK = "intuit/oauth-jsclient, QuickBooks-V3-PHP-SDK";

/** Intuit has one log-in for both environments; the app's keys tell them apart. */
const server = (environment: Server["environment"], host: string): Server => ({
  environment,
  baseUrl: `https://${host}/v3/company/{realmId}`,
  urls: {
    authorize: "https://appcenter.intuit.com/connect/oauth2",
    token: "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
    revoke: "https://developer.api.intuit.com/v2/oauth2/tokens/revoke",
  },
  allowedHosts: [host],
  sharedHosts: ["appcenter.intuit.com", "oauth.platform.intuit.com", "developer.api.intuit.com"],
});

const FAULT = { pointer: "/Fault/Error/0/Message" } as const;

/** QuickBooks Online: paths are below a company, and a 200 may carry a Fault. */
export const QUICKBOOKS: ProviderManifest = {
  manifestVersion: 1,
  code: "QUICKBOOKS",
  name: "QuickBooks Online",
  category: "ACCOUNTING",
  description: "Invoices, payments, customers, bills and vendors. Paths are below /v3/company/{realmId}.",
  documentationUrl: "https://developer.intuit.com",
  apiVersion: "v3",
  status: "ACTIVE",
  features: { webhooks: true, batch: true, realtime: false, rateLimiting: true },
  capabilities: ["AR/AP sync", "Invoices", "Payments"],
  fields: [
    ...clientFields("developer.intuit.com"),
    {
      name: "realmId",
      label: "Company id",
      kind: "derived",
      type: "string",
      required: true,
      pattern: "\\d{10,19}",
      from: { redirect: "realmId" },
    },
    {
      name: "minorVersion",
      label: "Minor version",
      kind: "operator",
      type: "string",
      required: false,
      default: "75",
      pattern: "\\d{1,4}",
      help: "75 is the lowest one that is still served.",
    },
  ],
  servers: [
    server("PRODUCTION", "quickbooks.api.intuit.com"),
    server("SANDBOX", "sandbox-quickbooks.api.intuit.com"),
  ],
  auth: {
    type: "OAUTH2_CODE",
    authorize: { server: "authorize", pkce: "S256", capture: { realmId: "realmId" } },
    scopes: {
      default: ["com.intuit.quickbooks.accounting"],
      optional: ["com.intuit.quickbooks.payment", "openid", "profile", "email"],
    },
    token: {
      server: "token",
      clientAuth: "basic",
      answer: {
        ...TOKEN_ANSWER,
        refreshExpires: { pointer: "/x_refresh_token_expires_in", format: "delta_s" },
        loginExpires: { pointer: "/x_refresh_token_hard_expires_in", format: "delta_s" },
      },
    },
    refresh: {
      rotation: "periodic",
      idleLifeSeconds: 100 * DAY,
      absoluteLifeSeconds: 5 * 365 * DAY,
      defaultLifeSeconds: HOUR,
      finalErrors: INVALID_GRANT,
    },
    revoke: {
      request: {
        method: "POST",
        server: "revoke",
        path: "",
        headers: JSON_ACCEPT,
        body: { type: "json", value: { token: "{token}" } },
      },
      clientAuth: "basic",
      token: "refresh",
    },
    place: BEARER,
  },
  headers: JSON_ACCEPT,
  query: { minorversion: "{minorVersion}" },
  verify: {
    request: { method: "GET", path: "/companyinfo/{realmId}" },
    expect: { status: [200], present: ["/CompanyInfo"] },
    accountName: "/CompanyInfo/CompanyName",
    blame: [
      { status: [401], fields: ["clientId", "clientSecret"] },
      { status: [403], fields: ["realmId"] },
    ],
  },
  quotas: [
    { name: "perCompany", limit: 500, windowSeconds: MINUTE, scope: "integration" },
    { name: "perSecond", limit: 10, windowSeconds: 1, scope: "integration" },
    { name: "batch", limit: 40, windowSeconds: MINUTE, scope: "integration", paths: ["POST /batch"] },
  ],
  rateHeaders: [],
  classification: [
    {
      status: ["2xx", "4xx"],
      body: { pointer: "/Fault/type", equals: ["AuthenticationFault", "AUTHENTICATION"] },
      action: "refresh_then_retry",
      kind: "auth",
      code: "token_expired",
      message: FAULT,
    },
    {
      status: ["2xx", "4xx"],
      body: { pointer: "/Fault/type", equals: ["AuthorizationFault"] },
      action: "fail",
      kind: "auth",
      code: "forbidden",
      message: FAULT,
    },
    {
      status: ["2xx"],
      body: { pointer: "/Fault/type", equals: ["SystemFault"] },
      action: "retry",
      kind: "outage",
      code: "system_fault",
      message: FAULT,
    },
    {
      status: [429],
      action: "rate_limited",
      kind: "limit",
      code: "rate_limited",
      retryAfterSeconds: MINUTE,
    },
    {
      status: ["2xx", 400, 404, 409, 422],
      body: { pointer: "/Fault" },
      action: "fail",
      kind: "data",
      code: "fault",
      message: FAULT,
    },
  ],
  answerType: "json",
  timeouts: { totalSeconds: 120 },
  idempotency: { in: "query", name: "requestid", methods: ["POST"] },
  redact: ["/access_token", "/refresh_token"],
  webhooks: {
    scheme: "quickbooks",
    routing: {
      items: "",
      type: "/type",
      id: ["/id"],
      account: { field: "realmId", pointer: "/intuitaccountid" },
    },
  },
  facts: {
    "/servers": { source: SDK, mark: "verified" },
    "/auth": { source: `${SDK}; ${DOC}`, mark: "verified" },
    "/auth/authorize/pkce": {
      source: "not documented; servers ignore parameters they do not know (RFC 6749 section 3.1)",
      mark: "unverified",
    },
    "/headers": { source: DOC, mark: "verified" },
    "/query": { source: DOC, mark: "verified", note: "Versions 1 to 74 ended on 1 August 2025." },
    "/verify": { source: DOC, mark: "verified" },
    "/quotas": { source: DOC, mark: "verified" },
    "/rateHeaders": { source: "none documented", mark: "verified" },
    "/classification": { source: DOC, mark: "verified", note: "After 429: wait 60 seconds." },
    "/timeouts": { source: DOC, mark: "verified" },
    "/idempotency": { source: DOC, mark: "verified" },
    "/webhooks": { source: "blogs.intuit.com 2025-11-12", mark: "verified" },
  },
};
