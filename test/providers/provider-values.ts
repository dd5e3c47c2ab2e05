import { builtInProvider } from "../../src/domain/providers/built-in-providers.ts";
import type { Values } from "../../src/domain/providers/fill-template.ts";
import type { ProviderManifest } from "../../src/domain/providers/manifest-schema.ts";

/** The manifest of a built-in provider that is known to exist. */
export function manifestOfCode(code: string): ProviderManifest {
  const manifest = builtInProvider(code);
  if (manifest === undefined) throw new Error(`no built-in provider ${code}`);
  return manifest;
}

const CLIENT = { clientId: "client-id", clientSecret: "client-secret" };

/** A configuration and credentials of each provider, as an integration that is set up has them. */
export const VALUES: Readonly<Record<string, { config: Values; credentials: Values }>> = {
  DAT: {
    config: { serviceAccount: "svc@acme.example", userEmail: "jo@acme.example", partnerId: "partner-7" },
    credentials: {
      servicePassword: "dat-password",
      organizationToken: "org-token",
      accessToken: "access-token",
    },
  },
  TRUCKSTOP: {
    config: { clientId: CLIENT.clientId, username: "acme-user" },
    credentials: { clientSecret: CLIENT.clientSecret, password: "ts-password", accessToken: "access-token" },
  },
  "123LOADBOARD": {
    config: { clientId: CLIENT.clientId, appId: "app-1", userAgent: "acme-tms/1.0 (api@acme.example)" },
    credentials: { clientSecret: CLIENT.clientSecret, accessToken: "access-token" },
  },
  QUICKBOOKS: {
    config: { clientId: CLIENT.clientId, realmId: "9130355377388383" },
    credentials: { clientSecret: CLIENT.clientSecret, accessToken: "access-token" },
  },
  XERO: {
    config: { clientId: CLIENT.clientId, tenantId: "45e4708e-d862-4111-ab3a-dd8cd03913e1" },
    credentials: { clientSecret: CLIENT.clientSecret, accessToken: "access-token" },
  },
  SAGE: {
    config: { clientId: CLIENT.clientId, userId: "xml", companyId: "Acme-imp", entityId: "E100" },
    credentials: { clientSecret: CLIENT.clientSecret, accessToken: "access-token" },
  },
  KEEPTRUCKIN: {
    config: { clientId: CLIENT.clientId },
    credentials: { clientSecret: CLIENT.clientSecret, accessToken: "access-token" },
  },
  SAMSARA: { config: {}, credentials: { apiToken: "samsara_api_test" } },
  OMNITRACS: {
    config: {
      apiBaseUrl: "https://api.omni.example.com/v1",
      apiKeyHeader: "X-Api-Key",
      verifyPath: "vehicles/positions",
    },
    credentials: { apiKey: "omni-key" },
  },
  HUBSPOT: {
    config: { clientId: CLIENT.clientId, hubId: "62515" },
    credentials: { clientSecret: CLIENT.clientSecret, accessToken: "access-token" },
  },
  SALESFORCE: {
    config: { clientId: CLIENT.clientId, instanceUrl: "https://acme.my.salesforce.com" },
    credentials: { clientSecret: CLIENT.clientSecret, accessToken: "access-token" },
  },
  ZOHO: {
    config: { clientId: CLIENT.clientId },
    credentials: { clientSecret: CLIENT.clientSecret, accessToken: "access-token" },
  },
};
