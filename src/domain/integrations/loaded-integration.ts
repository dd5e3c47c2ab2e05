import type { ProviderManifest } from "../providers/manifest-schema.ts";
import type { Auth } from "../providers/auth-schema.ts";
import type { IntegrationStatus } from "./state.ts";
import type { IntegrationRow } from "./store.ts";

/** An integration ready for calls; shared between them, so nobody changes it. */
export interface LoadedIntegration {
  id: string;
  tenantId: string;
  providerId: string;
  providerCode: string;
  name: string;
  /** With the tenant's overrides in it. */
  manifest: ProviderManifest;
  /** The manifest's log-in that this configuration chooses. */
  auth: Auth;
  environment: IntegrationRow["environment"];
  status: IntegrationStatus;
  /** ACTIVE. */
  isEnabled: boolean;
  /** Open fields, the derived ones too. */
  config: Readonly<Record<string, string | number | boolean>>;
  /** For a call: the tenant's, else the provider's, else the hub's. */
  timeoutSeconds: number;
  maxRetries: number;
  retryEnabled: boolean;
  /** Raised with every change. */
  version: number;
  /** The row that it was made of; its secrets are sealed. */
  row: IntegrationRow;
}

/** Opened secrets of an integration by name: its secret fields, and `accessToken`, `refreshToken`, … */
export type Credentials = Readonly<Record<string, string>>;
