import type { ProviderManifest, Server } from "../manifest-schema.ts";
import { BEARER, clientFields, DAY, INVALID_GRANT, JSON_ACCEPT, TOKEN_ANSWER } from "./oauth-parts.ts";

const DOC = "developer.salesforce.com, login.salesforce.com OpenID document";
const MESSAGE = { pointer: "/0/message" } as const;

/** The log-in host tells the environments apart; the organisation's own host comes with the token. */
const server = (environment: Server["environment"], login: string, hosts: string[]): Server => ({
  environment,
  baseUrl: "{instanceUrl}/services/data/v{apiVersion}",
  urls: {
    authorize: `https://${login}/services/oauth2/authorize`,
    token: `https://${login}/services/oauth2/token`,
    revoke: `https://${login}/services/oauth2/revoke`,
    introspect: `https://${login}/services/oauth2/introspect`,
    instance: "{instanceUrl}",
  },
  allowedHosts: [login, ...hosts],
});

/** Salesforce: PKCE and single-use refresh tokens, no life in the token's answer, limits reported as 403. */
export const SALESFORCE: ProviderManifest = {
  manifestVersion: 1,
  code: "SALESFORCE",
  name: "Salesforce",
  category: "CRM",
  description:
    "Accounts, contacts, leads, opportunities and custom objects. Paths are below /services/data/v{apiVersion}.",
  documentationUrl: "https://developer.salesforce.com",
  apiVersion: "66.0",
  status: "ACTIVE",
  features: { webhooks: true, batch: true, realtime: false, rateLimiting: true },
  capabilities: ["Full CRM sync"],
  fields: [
    ...clientFields("Salesforce Setup → External Client Apps"),
    {
      name: "apiVersion",
      label: "API version",
      kind: "operator",
      type: "string",
      required: false,
      default: "66.0",
      pattern: "\\d{2,3}\\.0",
    },
    {
      name: "instanceUrl",
      label: "Address of the organisation",
      kind: "derived",
      type: "url",
      required: true,
      from: { token: "/instance_url" },
    },
  ],
  servers: [
    server("PRODUCTION", "login.salesforce.com", ["*.my.salesforce.com", "*.develop.my.salesforce.com"]),
    server("SANDBOX", "test.salesforce.com", ["*.sandbox.my.salesforce.com"]),
  ],
  auth: {
    type: "OAUTH2_CODE",
    authorize: { server: "authorize", pkce: "S256" },
    scopes: { default: ["api", "refresh_token"], optional: ["id", "openid"] },
    token: {
      server: "token",
      clientAuth: "body",
      answer: { ...TOKEN_ANSWER, capture: { instanceUrl: "/instance_url" } },
    },
    refresh: {
      rotation: "every_use",
      idleLifeSeconds: 30 * DAY,
      defaultLifeSeconds: 7_200,
      finalErrors: INVALID_GRANT,
    },
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
    request: { method: "GET", path: "/limits" },
    expect: { status: [200], present: ["/DailyApiRequests/Max"] },
    blame: [
      { status: [401], fields: ["clientId", "clientSecret"] },
      { status: [404], fields: ["apiVersion"] },
    ],
  },
  quotas: [{ name: "daily", limit: 100_000, windowSeconds: DAY, scope: "integration" }],
  rateHeaders: [{ quota: "daily", used: { header: "Sforce-Limit-Info", key: "api-usage" } }],
  classification: [
    {
      status: [403],
      body: { pointer: "/0/errorCode", equals: ["REQUEST_LIMIT_EXCEEDED"] },
      action: "rate_limited",
      kind: "limit",
      code: "daily_limit",
      message: MESSAGE,
      retryAfterSeconds: 3_600,
    },
    {
      status: [401],
      action: "refresh_then_retry",
      kind: "auth",
      code: "session_ended",
      message: MESSAGE,
    },
    {
      status: ["4xx"],
      body: { pointer: "/0/errorCode", equals: ["UNABLE_TO_LOCK_ROW"] },
      action: "retry",
      kind: "outage",
      code: "row_locked",
      message: MESSAGE,
    },
    { status: [403], action: "fail", kind: "auth", code: "forbidden", message: MESSAGE },
    {
      status: ["4xx"],
      body: { pointer: "/0/errorCode" },
      action: "fail",
      kind: "data",
      code: "refused",
      message: MESSAGE,
    },
  ],
  answerType: "json",
  redact: ["/access_token", "/refresh_token", "/id_token", "/signature"],
  webhooks: { scheme: "salesforce", routing: {} },
  facts: {
    "/servers": { source: DOC, mark: "verified" },
    "/servers/0/allowedHosts/2": {
      source: "My Domain hosts of developer editions",
      mark: "secondary",
    },
    "/auth": { source: DOC, mark: "verified" },
    "/auth/refresh/idleLifeSeconds": {
      source: DOC,
      mark: "verified",
      note: "Apps used by more than two organisations.",
    },
    "/auth/refresh/defaultLifeSeconds": {
      source: `${DOC}: two hours without use, by the organisation's policy`,
      mark: "verified",
    },
    "/headers": { source: DOC, mark: "verified" },
    "/verify": { source: DOC, mark: "verified" },
    "/quotas": {
      source: "depends on edition and licences",
      mark: "unverified",
      note: "The header tells the true one.",
    },
    "/rateHeaders": { source: DOC, mark: "verified" },
    "/classification": { source: DOC, mark: "verified" },
    "/webhooks": { source: DOC, mark: "verified" },
  },
};
