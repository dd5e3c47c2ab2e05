import type { ProviderManifest } from "../manifest-schema.ts";
import {
  BEARER,
  clientFields,
  HOUR,
  INVALID_GRANT,
  JSON_ACCEPT,
  MINUTE,
  MONTH,
  TOKEN_ANSWER,
} from "./oauth-parts.ts";

const DOC = "developer.sage.com/intacct";
const CLIENTS = "client code of several integrators";

/** Where Intacct's errors stand; some clients see them without the outer member. */
const ERROR = { pointer: "/ia::result/ia::error/message" } as const;
const BARE_ERROR = { pointer: "/ia::error/message" } as const;

/** Sage Intacct: the Sage product with a general ledger and a log-in from machine to machine. */
export const SAGE: ProviderManifest = {
  manifestVersion: 1,
  code: "SAGE",
  name: "Sage Intacct",
  category: "ACCOUNTING",
  description: "General ledger, receivables and payables. For trials: a sandbox company on the same host.",
  documentationUrl: "https://developer.sage.com/intacct",
  apiVersion: "v1",
  status: "ACTIVE",
  features: { webhooks: true, batch: true, realtime: false, rateLimiting: true },
  capabilities: ["GL integration"],
  fields: [
    ...clientFields("developer.sage.com"),
    {
      name: "userId",
      label: "User id",
      kind: "connection",
      type: "string",
      required: true,
      pattern: "[^@|]+",
    },
    {
      name: "companyId",
      label: "Company id",
      kind: "connection",
      type: "string",
      required: true,
      pattern: "[^@|]+",
    },
    {
      name: "entityId",
      label: "Entity",
      kind: "connection",
      type: "string",
      required: false,
      pattern: "[^@|]+",
      help: "Of companies with several entities.",
    },
  ],
  servers: [
    {
      environment: "PRODUCTION",
      baseUrl: "https://api.intacct.com/ia/api/v1",
      urls: {
        token: "https://api.intacct.com/ia/api/v1/oauth2/token",
        xml: "https://api.intacct.com/ia/xml/xmlgw.phtml",
      },
      allowedHosts: ["api.intacct.com"],
    },
  ],
  auth: {
    type: "OAUTH2_CLIENT_CREDENTIALS",
    scopes: { default: [] },
    token: {
      server: "token",
      clientAuth: "body",
      params: { username: "{userId}@{companyId}[[|{entityId}]]" },
      answer: TOKEN_ANSWER,
    },
    refresh: { rotation: "periodic", defaultLifeSeconds: 6 * HOUR, finalErrors: INVALID_GRANT },
    place: BEARER,
  },
  headers: { ...JSON_ACCEPT, "X-IA-API-Param-Entity": "[[{entityId}]]" },
  verify: {
    request: {
      method: "POST",
      path: "/services/core/query",
      body: {
        type: "json",
        value: { object: "general-ledger/account", fields: ["key", "id"], size: 1 },
      },
      isReadOnly: true,
    },
    expect: { status: [200], present: ["/ia::result"] },
    blame: [
      { status: [400, 401], fields: ["clientId", "clientSecret", "userId", "companyId"] },
      { status: [403], fields: ["userId", "entityId"] },
    ],
  },
  quotas: [
    { name: "concurrent", limit: 2, scope: "integration" },
    { name: "monthly", limit: 100_000, windowSeconds: MONTH, scope: "integration" },
  ],
  rateHeaders: [],
  classification: [
    { status: [401], action: "refresh_then_retry", kind: "auth", code: "token_expired" },
    {
      status: [403],
      body: { pointer: "/ia::result/ia::error" },
      action: "fail",
      kind: "auth",
      code: "forbidden",
      message: ERROR,
    },
    { status: [429], action: "rate_limited", kind: "limit", code: "rate_limited", retryAfterSeconds: MINUTE },
    {
      status: [409],
      action: "fail",
      kind: "data",
      code: "conflict",
      message: ERROR,
    },
    {
      status: ["2xx", "4xx"],
      body: { pointer: "/ia::result/ia::error" },
      action: "fail",
      kind: "data",
      code: "refused",
      message: ERROR,
    },
    {
      status: ["2xx", "4xx"],
      body: { pointer: "/ia::error" },
      action: "fail",
      kind: "data",
      code: "refused",
      message: BARE_ERROR,
    },
  ],
  answerType: "json",
  idempotency: { in: "header", name: "Idempotency-Key", methods: ["POST", "PATCH"] },
  redact: ["/access_token", "/refresh_token"],
  webhooks: { scheme: "sage-intacct", routing: {} },
  facts: {
    "/servers": { source: CLIENTS, mark: "secondary" },
    "/auth": { source: CLIENTS, mark: "secondary" },
    "/auth/refresh": { source: "6 and 12 hours were both seen", mark: "unverified" },
    "/headers": { source: CLIENTS, mark: "secondary" },
    "/verify": { source: "inferred from the documented query service", mark: "unverified" },
    "/quotas": { source: `${DOC}; tier 1`, mark: "secondary" },
    "/rateHeaders": { source: "none found", mark: "unverified" },
    "/classification": { source: `${DOC}; ${CLIENTS}`, mark: "verified" },
    "/classification/2/retryAfterSeconds": { source: CLIENTS, mark: "secondary" },
    "/idempotency": { source: `${DOC}; the header's name is not shown`, mark: "unverified" },
    "/webhooks": { source: DOC, mark: "unverified" },
  },
};
