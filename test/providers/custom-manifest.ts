import type { ProviderManifest } from "../../src/domain/providers/manifest-schema.ts";

/** A provider of a tenant's own: one API key, one sandbox. */
export function customManifest(more: Partial<ProviderManifest> = {}): ProviderManifest {
  return {
    manifestVersion: 1,
    code: "ACME_TMS",
    name: "Acme TMS",
    category: "OTHER",
    status: "ACTIVE",
    features: { webhooks: false, batch: false, realtime: false, rateLimiting: true },
    fields: [
      { name: "apiKey", label: "API key", kind: "secret", type: "string", required: true },
      { name: "account", label: "Account", kind: "connection", type: "string", required: true },
    ],
    servers: [
      {
        environment: "PRODUCTION",
        baseUrl: "https://api.acme.example.com/v1/{account}",
        allowedHosts: ["api.acme.example.com"],
      },
      {
        environment: "SANDBOX",
        baseUrl: "https://sandbox.acme.example.com/v1/{account}",
        allowedHosts: ["sandbox.acme.example.com"],
      },
    ],
    auth: { type: "API_KEY", place: [{ in: "header", name: "X-Api-Key", value: "{apiKey}" }] },
    verify: { request: { method: "GET", path: "/me" }, expect: { status: [200] } },
    quotas: [{ name: "minute", limit: 60, windowSeconds: 60, scope: "integration" }],
    rateHeaders: [],
    classification: [],
    ...more,
  };
}
