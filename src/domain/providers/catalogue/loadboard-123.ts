import type { ProviderManifest, Server } from "../manifest-schema.ts";
import {
  BEARER,
  clientFields,
  DAY,
  HOUR,
  INVALID_GRANT,
  JSON_ACCEPT,
  MINUTE,
  MONTH,
  TOKEN_ANSWER,
} from "./oauth-parts.ts";

const CLIENT = "client code of one integrator";
const CONTRACT = "contract numbers that one integrator saw (April 2026)";

/** Without these every request is refused. */
const VERSION_HEADERS = { "123LB-Api-Version": "{apiVersion}", "User-Agent": "{userAgent}" };

const server = (environment: Server["environment"], host: string): Server => ({
  environment,
  baseUrl: `https://${host}`,
  urls: { authorize: `https://${host}/authorize`, token: `https://${host}/token` },
  allowedHosts: [host],
});

/** 123Loadboard: OAuth 2 whose log-in page asks for a header, so that the hub opens it and passes the redirect on. */
export const LOADBOARD_123: ProviderManifest = {
  manifestVersion: 1,
  code: "123LOADBOARD",
  name: "123Loadboard",
  category: "LOAD_BOARD",
  description: "Search loads and list one's own posts. How loads are posted is not published.",
  documentationUrl: "https://developers.123loadboard.com",
  apiVersion: "1.3",
  status: "ACTIVE",
  features: { webhooks: false, batch: false, realtime: false, rateLimiting: true },
  capabilities: ["Basic posting"],
  fields: [
    ...clientFields("developers.123loadboard.com"),
    {
      name: "appId",
      label: "App or device id",
      kind: "operator",
      type: "string",
      required: true,
      help: "Sent as 123LB-AID with every call.",
    },
    {
      name: "userAgent",
      label: "User-Agent",
      kind: "operator",
      type: "string",
      required: true,
      example: "acme-tms/1.0 (api@acme.example)",
      help: "company-product/version (e-mail address)",
    },
    {
      name: "apiVersion",
      label: "API version",
      kind: "operator",
      type: "string",
      required: false,
      default: "1.3",
      pattern: "\\d+\\.\\d+",
    },
    { name: "loginHint", label: "Log-in name to suggest", kind: "one-time", type: "string", required: false },
  ],
  servers: [server("PRODUCTION", "api.123loadboard.com"), server("SANDBOX", "api.dev.123loadboard.com")],
  auth: {
    type: "OAUTH2_CODE",
    authorize: {
      server: "authorize",
      params: { login_hint: "[[{loginHint}]]" },
      headers: VERSION_HEADERS,
      pkce: "S256",
    },
    scopes: { default: ["loadsearching"] },
    token: { server: "token", clientAuth: "basic", headers: VERSION_HEADERS, answer: TOKEN_ANSWER },
    refresh: { rotation: "periodic", defaultLifeSeconds: HOUR, finalErrors: INVALID_GRANT },
    place: BEARER,
  },
  headers: { ...JSON_ACCEPT, ...VERSION_HEADERS, "123LB-AID": "{appId}" },
  verify: {
    request: { method: "GET", path: "/loads", query: { limit: "1" } },
    expect: { status: [200] },
    blame: [
      { status: [400], fields: ["apiVersion", "userAgent", "appId"] },
      { status: [401, 403], fields: ["clientId", "clientSecret"] },
    ],
  },
  quotas: [
    { name: "assumed", limit: 60, windowSeconds: MINUTE, scope: "integration" },
    { name: "searchesDaily", limit: 100, windowSeconds: DAY, scope: "token", paths: ["POST /loads/search"] },
    {
      name: "searchesMonthly",
      limit: 1_000,
      windowSeconds: MONTH,
      scope: "token",
      paths: ["POST /loads/search"],
    },
    { name: "detailsDaily", limit: 40, windowSeconds: DAY, scope: "token", paths: ["GET /loads/*"] },
  ],
  rateHeaders: [],
  classification: [{ status: [401], action: "refresh_then_retry", kind: "auth", code: "token_expired" }],
  answerType: "json",
  redact: ["/access_token", "/refresh_token"],
  facts: {
    "/servers/0": { source: CLIENT, mark: "unverified", note: "Not seen in live use." },
    "/servers/1": { source: CLIENT, mark: "secondary" },
    "/auth": { source: CLIENT, mark: "secondary" },
    "/auth/authorize/pkce": {
      source: "not documented; servers ignore parameters they do not know (RFC 6749 section 3.1)",
      mark: "unverified",
    },
    "/auth/refresh": {
      source: CLIENT,
      mark: "unverified",
      note: "An hour is assumed; whatever comes back is stored.",
    },
    "/headers": { source: CLIENT, mark: "secondary" },
    "/verify": { source: "inferred from the list of one's own posts", mark: "unverified" },
    "/quotas/0": { source: "no limit in time is published; a careful guess", mark: "unverified" },
    "/quotas": { source: CONTRACT, mark: "unverified" },
    "/rateHeaders": { source: "none found", mark: "unverified" },
    "/classification": { source: "RFC 6750 section 3.1", mark: "unverified" },
  },
};
