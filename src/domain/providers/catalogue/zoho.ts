import type { ProviderManifest, Server } from "../manifest-schema.ts";
import { clientFields, DAY, HOUR, INVALID_GRANT, JSON_ACCEPT, MINUTE, TOKEN_ANSWER } from "./oauth-parts.ts";

const OAS = "zoho/crm-oas v8.0";
const DOC = "zoho.com/crm/developer, zoho.com/accounts/protocol";

/** Data centres: their name, and the ends of the log-in's and of the API's domain. */
const CENTRES = [
  ["US", "zoho.com", "zohoapis.com"],
  ["EU", "zoho.eu", "zohoapis.eu"],
  ["IN", "zoho.in", "zohoapis.in"],
  ["AU", "zoho.com.au", "zohoapis.com.au"],
  ["CN", "zoho.com.cn", "zohoapis.com.cn"],
  ["JP", "zoho.jp", "zohoapis.jp"],
  ["CA", "zohocloud.ca", "zohoapis.ca"],
  ["SA", "zoho.sa", "zohoapis.sa"],
  ["UK", "zoho.uk", "zohoapis.uk"],
  ["AE", "zoho.ae", "zohoapis.ae"],
] as const;

/** Who logs in may have an account elsewhere than thought: the redirect and the token's answer then name its hosts. */
const ACCOUNT_HOSTS = CENTRES.map(([, accounts]) => `accounts.${accounts}`);

const servers = (environment: Server["environment"], label: string): Server[] =>
  CENTRES.map(([region, accounts, api]) => ({
    environment,
    region,
    baseUrl: "{apiDomain}/crm/v8",
    urls: {
      authorize: `https://accounts.${accounts}/oauth/v2/auth`,
      token: "{accountsServer}/oauth/v2/token",
      revoke: "{accountsServer}/oauth/v2/token/revoke",
    },
    allowedHosts: CENTRES.map(([, , host]) => `${label}.${host}`),
    sharedHosts: ACCOUNT_HOSTS,
    defaults: { apiDomain: `https://${label}.${api}`, accountsServer: `https://accounts.${accounts}` },
  }));

const MESSAGE = { pointer: "/message" } as const;

/** Zoho CRM: ten data centres, a header of its own, refresh tokens that stay, and a limit on getting tokens. */
export const ZOHO: ProviderManifest = {
  manifestVersion: 1,
  code: "ZOHO",
  name: "Zoho CRM",
  category: "CRM",
  description: "Contacts and leads. Paths are below /crm/v8.",
  documentationUrl: "https://www.zoho.com/crm/developer/docs/api/v8/",
  apiVersion: "v8",
  status: "ACTIVE",
  features: { webhooks: true, batch: true, realtime: true, rateLimiting: true },
  capabilities: ["Contacts", "Leads"],
  fields: [
    ...clientFields("api-console.zoho.com"),
    {
      name: "dataCenter",
      label: "Data centre",
      kind: "connection",
      type: "string",
      required: false,
      enum: CENTRES.map(([region]) => region),
      default: "US",
      help: "Where the account lives: the end of the address in the browser.",
    },
    {
      name: "accountsServer",
      label: "Log-in server",
      kind: "derived",
      type: "url",
      required: false,
      from: { redirect: "accounts-server" },
    },
    {
      name: "apiDomain",
      label: "API server",
      kind: "derived",
      type: "url",
      required: false,
      from: { token: "/api_domain" },
    },
  ],
  regionField: "dataCenter",
  servers: [...servers("PRODUCTION", "www"), ...servers("SANDBOX", "sandbox")],
  auth: {
    type: "OAUTH2_CODE",
    authorize: {
      server: "authorize",
      params: { access_type: "offline", prompt: "consent" },
      pkce: "S256",
      capture: { accountsServer: "accounts-server" },
    },
    scopes: {
      default: [
        "ZohoCRM.modules.contacts.ALL",
        "ZohoCRM.modules.leads.ALL",
        "ZohoCRM.users.READ",
        "ZohoCRM.org.READ",
        "ZohoCRM.notifications.ALL",
        "ZohoCRM.coql.READ",
      ],
      optional: ["ZohoCRM.modules.ALL"],
      separator: ",",
    },
    token: {
      server: "token",
      clientAuth: "body",
      answer: { ...TOKEN_ANSWER, capture: { apiDomain: "/api_domain" }, error: "/error" },
    },
    refresh: {
      rotation: "none",
      defaultLifeSeconds: HOUR,
      quota: { limit: 10, windowSeconds: 10 * MINUTE },
      finalErrors: [...INVALID_GRANT, { pointer: "/error", values: ["invalid_code", "invalid_token"] }],
    },
    revoke: {
      request: { method: "POST", server: "revoke", path: "", query: { token: "{token}" } },
      clientAuth: "none",
      token: "refresh",
    },
    place: [{ in: "header", name: "Authorization", value: "Zoho-oauthtoken {accessToken}" }],
  },
  headers: JSON_ACCEPT,
  verify: {
    request: { method: "GET", path: "/org" },
    expect: { status: [200], present: ["/org"] },
    accountName: "/org/0/company_name",
    blame: [{ status: [401], fields: ["clientId", "clientSecret", "dataCenter"] }],
  },
  quotas: [
    { name: "credits", limit: 5_000, windowSeconds: DAY, scope: "integration" },
    { name: "concurrent", limit: 5, scope: "integration" },
  ],
  rateHeaders: [{ quota: "credits", remaining: "X-API-CREDITS-REMAINING" }],
  classification: [
    {
      status: [401],
      body: { pointer: "/code", equals: ["OAUTH_SCOPE_MISMATCH"] },
      action: "fail",
      kind: "auth",
      code: "scope_missing",
      message: MESSAGE,
    },
    {
      status: [401],
      action: "refresh_then_retry",
      kind: "auth",
      code: "token_expired",
      message: MESSAGE,
    },
    {
      status: [429],
      action: "rate_limited",
      kind: "limit",
      code: "rate_limited",
      message: MESSAGE,
      retryAfterSeconds: MINUTE,
    },
    {
      status: ["2xx", "4xx"],
      body: { pointer: "/status", equals: ["error"] },
      action: "fail",
      kind: "data",
      code: "refused",
      message: MESSAGE,
    },
  ],
  answerType: "json",
  redact: ["/access_token", "/refresh_token", "/token"],
  webhooks: {
    scheme: "zoho",
    routing: { type: "/operation", id: ["/channel_id", "/module", "/operation", "/ids", "/server_time"] },
    renewSeconds: 6 * DAY,
  },
  facts: {
    "/servers": { source: DOC, mark: "verified", note: "The hosts of UK and AE are less sure." },
    ...Object.fromEntries(
      CENTRES.map((_, index) => [
        `/servers/${CENTRES.length + index}`,
        { source: "sandbox host, not shown by the documentation", mark: "unverified" as const },
      ]),
    ),
    "/auth": { source: DOC, mark: "verified" },
    "/auth/authorize/pkce": {
      source: "not documented; servers ignore parameters they do not know (RFC 6749 section 3.1)",
      mark: "unverified",
    },
    "/auth/token/answer/error": { source: `${DOC}: errors with status 200`, mark: "unverified" },
    "/headers": { source: OAS, mark: "verified" },
    "/verify": { source: OAS, mark: "verified" },
    "/quotas": {
      source: `${DOC}: 5,000 credits and 5 at once in the free edition, more in others`,
      mark: "unverified",
    },
    "/rateHeaders": { source: "one client", mark: "unverified" },
    "/classification": { source: `${OAS}; ${DOC}`, mark: "verified" },
    "/webhooks": { source: `${OAS}; ${DOC}`, mark: "verified" },
    "/webhooks/routing": { source: DOC, mark: "unverified" },
  },
};
