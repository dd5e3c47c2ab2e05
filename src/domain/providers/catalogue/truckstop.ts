import type { TokenEndpoint, RefreshPolicy } from "../auth-schema.ts";
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

const DOC = "developer.truckstop.com, truckstop.readme.io";

const TOKEN: TokenEndpoint = {
  server: "token",
  clientAuth: "basic",
  query: { scope: "truckstop" },
  answer: TOKEN_ANSWER,
};

const REFRESH: RefreshPolicy = {
  rotation: "every_use",
  idleLifeSeconds: 180 * DAY,
  defaultLifeSeconds: 20 * MINUTE,
  finalErrors: INVALID_GRANT,
};

/** Truckstop: a token endpoint in the manner of OAuth, with user name and password for one's own use. */
export const TRUCKSTOP: ProviderManifest = {
  manifestVersion: 1,
  code: "TRUCKSTOP",
  name: "Truckstop",
  category: "LOAD_BOARD",
  description: "Post loads and search trucks. Needs a signed integration agreement and Load Board Pro.",
  documentationUrl: "https://developer.truckstop.com",
  apiVersion: "v2",
  status: "ACTIVE",
  features: { webhooks: true, batch: true, realtime: false, rateLimiting: true },
  capabilities: ["Post loads", "Search trucks"],
  fields: [
    {
      name: "authMethod",
      label: "Log-in",
      kind: "operator",
      type: "string",
      required: false,
      enum: ["PASSWORD", "AUTHORIZATION_CODE"],
      default: "PASSWORD",
      help: "PASSWORD for one's own account; AUTHORIZATION_CODE where customers log in themselves.",
    },
    ...clientFields("Truckstop (tsi@truckstop.com)"),
    {
      name: "username",
      label: "User name",
      kind: "connection",
      type: "string",
      required: true,
      visibleWhen: { field: "authMethod", equals: ["PASSWORD"] },
    },
    {
      name: "password",
      label: "Password",
      kind: "secret",
      type: "string",
      required: true,
      visibleWhen: { field: "authMethod", equals: ["PASSWORD"] },
    },
  ],
  servers: [
    {
      environment: "PRODUCTION",
      baseUrl: "https://api.truckstop.com",
      urls: {
        authorize: "https://api.truckstop.com/auth/authorize",
        token: "https://api.truckstop.com/auth/token",
      },
      allowedHosts: ["api.truckstop.com"],
    },
    {
      environment: "SANDBOX",
      baseUrl: "https://api-int.truckstop.com",
      urls: {
        authorize: "https://api-int.truckstop.com/auth/authorize",
        token: "https://api-int.truckstop.com/auth/token",
        soap: "https://testws.truckstop.com",
      },
      allowedHosts: ["api-int.truckstop.com", "testws.truckstop.com"],
    },
  ],
  auth: {
    type: "OAUTH2_PASSWORD",
    username: "{username}",
    password: "{password}",
    scopes: { default: [] },
    token: TOKEN,
    refresh: REFRESH,
    place: BEARER,
  },
  otherAuth: [
    {
      when: { field: "authMethod", equals: "AUTHORIZATION_CODE" },
      auth: {
        type: "OAUTH2_CODE",
        authorize: { server: "authorize", pkce: "S256" },
        scopes: { default: ["truckstop"] },
        token: TOKEN,
        refresh: REFRESH,
        place: BEARER,
      },
    },
  ],
  headers: JSON_ACCEPT,
  verify: {
    request: {
      method: "POST",
      path: "/loadmanagement/v2/load/search",
      body: {
        type: "json",
        value: { pagination: { pageSize: 1, pageNumber: 1 }, searchCriteria: [] },
      },
      isReadOnly: true,
    },
    expect: { status: [200] },
    blame: [
      { status: [400, 401], fields: ["clientId", "clientSecret", "username", "password"] },
      { status: [403], fields: ["username"] },
    ],
  },
  quotas: [{ name: "assumed", limit: 60, windowSeconds: MINUTE, scope: "integration" }],
  rateHeaders: [],
  classification: [
    { status: [401], action: "refresh_then_retry", kind: "auth", code: "token_expired" },
    {
      status: ["4xx"],
      body: { pointer: "/statusSet/0/message" },
      action: "fail",
      kind: "data",
      code: "refused",
      message: { pointer: "/statusSet/0/message" },
    },
    {
      status: ["4xx"],
      body: { pointer: "/0/statusSet/0/message" },
      action: "fail",
      kind: "data",
      code: "refused",
      message: { pointer: "/0/statusSet/0/message" },
    },
  ],
  answerType: "json",
  redact: ["/access_token", "/refresh_token", "/password"],
  facts: {
    "/servers": { source: `${DOC}; a .NET client`, mark: "verified" },
    "/auth": { source: `${DOC}; a .NET client`, mark: "verified" },
    "/otherAuth": { source: DOC, mark: "verified" },
    "/otherAuth/0/auth/authorize/pkce": {
      source: "not documented; servers ignore parameters they do not know (RFC 6749 section 3.1)",
      mark: "unverified",
    },
    "/verify": {
      source: "inferred from the documented search of one's own loads",
      mark: "unverified",
    },
    "/quotas": { source: "no limit is published; a careful guess", mark: "unverified" },
    "/rateHeaders": { source: "none found", mark: "unverified" },
    "/classification": { source: "a .NET client", mark: "secondary" },
  },
};
