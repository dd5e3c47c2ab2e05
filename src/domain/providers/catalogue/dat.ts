import type { ProviderManifest } from "../manifest-schema.ts";
import { BEARER, JSON_ACCEPT, MINUTE } from "./oauth-parts.ts";

const PORTAL = "developer.dat.com portal text";
const CLIENTS = "client code of integrators";

/** Names of DAT's API products; each has its own host. */
const hosts = (infix: string, search: string) => ({
  identity: `https://identity.api${infix}.dat.com/access`,
  search: `https://freight.api${search}.dat.com`,
  negotiation: `https://freight.api${search}.dat.com/negotiation`,
  rates: `https://analytics.api${infix}.dat.com/linehaulrates`,
  lanemakers: `https://network.api${infix}.dat.com/lanemakers`,
});

/** DAT One: two tokens, the first only good for getting the second; no OAuth 2, whatever lists say. */
export const DAT: ProviderManifest = {
  manifestVersion: 1,
  code: "DAT",
  name: "DAT One",
  category: "LOAD_BOARD",
  description: "Post loads and trucks, search trucks and loads, look up lane rates.",
  documentationUrl: "https://developer.dat.com",
  apiVersion: "v2",
  status: "ACTIVE",
  features: { webhooks: false, batch: true, realtime: false, rateLimiting: true },
  capabilities: ["Post loads", "Search trucks", "Rates"],
  fields: [
    {
      name: "serviceAccount",
      label: "Service account",
      kind: "connection",
      type: "string",
      required: true,
      help: "User name of the organisation's DAT service account.",
    },
    {
      name: "servicePassword",
      label: "Service account password",
      kind: "secret",
      type: "string",
      required: true,
    },
    {
      name: "userEmail",
      label: "User's e-mail address",
      kind: "connection",
      type: "string",
      required: true,
      pattern: "[^@\\s]+@[^@\\s]+",
      help: "The DAT user for whom calls are made; needs a Connexion seat.",
    },
    {
      name: "partnerId",
      label: "Partner id",
      kind: "operator",
      type: "string",
      required: false,
      help: "Sent as x-dat-partner-id where DAT asks for it.",
    },
  ],
  servers: [
    {
      environment: "PRODUCTION",
      baseUrl: "https://freight.api.dat.com/posting",
      urls: hosts("", ".prod"),
      allowedHosts: [
        "freight.api.dat.com",
        "identity.api.dat.com",
        "freight.api.prod.dat.com",
        "analytics.api.dat.com",
        "network.api.dat.com",
      ],
    },
    {
      environment: "SANDBOX",
      baseUrl: "https://freight.api.staging.dat.com/posting",
      urls: hosts(".staging", ".staging"),
      allowedHosts: [
        "freight.api.staging.dat.com",
        "identity.api.staging.dat.com",
        "analytics.api.staging.dat.com",
        "network.api.staging.dat.com",
      ],
    },
    {
      environment: "TEST",
      baseUrl: "https://freight.api.nprod.dat.com/posting",
      urls: hosts(".nprod", ".nprod"),
      allowedHosts: [
        "freight.api.nprod.dat.com",
        "identity.api.nprod.dat.com",
        "analytics.api.nprod.dat.com",
        "network.api.nprod.dat.com",
      ],
    },
  ],
  auth: {
    type: "TOKEN_REQUEST",
    steps: [
      {
        name: "organization",
        request: {
          method: "POST",
          server: "identity",
          path: "/v1/token/organization",
          headers: { ...JSON_ACCEPT, "x-dat-partner-id": "[[{partnerId}]]" },
          body: { type: "json", value: { username: "{serviceAccount}", password: "{servicePassword}" } },
        },
        capture: { organizationToken: "/accessToken" },
      },
      {
        name: "user",
        request: {
          method: "POST",
          server: "identity",
          path: "/v1/token/user",
          headers: {
            ...JSON_ACCEPT,
            Authorization: "Bearer {organizationToken}",
            "x-dat-partner-id": "[[{partnerId}]]",
          },
          body: { type: "json", value: { username: "{userEmail}" } },
        },
        capture: { accessToken: "/accessToken" },
      },
    ],
    lifeSeconds: 30 * MINUTE,
    marginSeconds: 5 * MINUTE,
    place: BEARER,
  },
  headers: { ...JSON_ACCEPT, "x-dat-partner-id": "[[{partnerId}]]" },
  verify: {
    request: null,
    expect: { status: [200], present: ["/accessToken"] },
    blame: [{ status: [400, 401, 403], fields: ["serviceAccount", "servicePassword", "userEmail"] }],
  },
  quotas: [{ name: "perUser", limit: 100, windowSeconds: MINUTE, scope: "token" }],
  rateHeaders: [],
  classification: [
    { status: [401], action: "refresh_then_retry", kind: "auth", code: "token_expired" },
    {
      status: ["4xx"],
      body: { pointer: "/errors/0/message" },
      action: "fail",
      kind: "data",
      code: "refused",
      message: { pointer: "/errors/0/message" },
    },
  ],
  answerType: "json",
  redact: ["/accessToken", "/password"],
  facts: {
    "/servers/0": { source: PORTAL, mark: "verified" },
    "/servers/1": { source: PORTAL, mark: "verified" },
    "/servers/1/urls/rates": { source: "by analogy with the other hosts", mark: "unverified" },
    "/servers/1/urls/lanemakers": { source: "by analogy with the other hosts", mark: "unverified" },
    "/servers/1/urls/search": { source: "by analogy with the other hosts", mark: "unverified" },
    "/servers/1/urls/negotiation": { source: "by analogy with the other hosts", mark: "unverified" },
    "/servers/1/allowedHosts": { source: "the hosts of the addresses beside it", mark: "unverified" },
    "/servers/2": { source: PORTAL, mark: "verified" },
    "/servers/2/urls/rates": { source: "by analogy with the other hosts", mark: "unverified" },
    "/servers/2/urls/lanemakers": { source: "by analogy with the other hosts", mark: "unverified" },
    "/servers/2/urls/search": { source: "by analogy with the other hosts", mark: "unverified" },
    "/servers/2/urls/negotiation": { source: "by analogy with the other hosts", mark: "unverified" },
    "/servers/2/allowedHosts": { source: "the hosts of the addresses beside it", mark: "unverified" },
    "/auth": { source: `${PORTAL}; ${CLIENTS}`, mark: "verified" },
    "/headers": {
      source: CLIENTS,
      mark: "unverified",
      note: "One integrator calls x-dat-partner-id mandatory, others leave it out.",
    },
    "/verify": {
      source: PORTAL,
      mark: "verified",
      note: "Getting both tokens costs no credits; every rate lookup does.",
    },
    "/quotas/0": { source: PORTAL, mark: "verified", note: "Posting: 100 requests a minute and user." },
    "/rateHeaders": { source: "none found", mark: "unverified" },
    "/classification/0": { source: PORTAL, mark: "verified", note: "After a 401 both tokens are made anew." },
    "/classification/1": { source: CLIENTS, mark: "unverified" },
  },
};
