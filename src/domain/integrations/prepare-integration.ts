import { addressPolicyOf } from "../../platform/egress/address-policy.ts";
import type { Context, Transaction } from "../context.ts";
import { type FieldError, invalidInput } from "../errors.ts";
import type { Auth } from "../providers/auth-schema.ts";
import { chooseAuth } from "../providers/choose-auth.ts";
import type { Environment, ProviderManifest } from "../providers/manifest-schema.ts";
import { applyOverrides, checkOverrides } from "./apply-overrides.ts";
import { checkConfig, type ConfigParts } from "./check-config.ts";
import type { CreateIntegrationInput } from "./schema.ts";
import { findProviderRow, type ProviderRow } from "./store.ts";

/** A new integration whose input was judged. */
export interface PreparedIntegration {
  provider: ProviderRow;
  /** With the overrides in it. */
  manifest: ProviderManifest;
  environment: Environment;
  parts: ConfigParts;
  auth: Auth;
}

/**
 * Judges the input of a new integration as a whole.
 *
 * @throws HubError 422 `no_sandbox` or `invalid_input` with the path of each fault
 */
export async function prepareIntegration(
  ctx: Context,
  tx: Transaction,
  input: CreateIntegrationInput,
): Promise<PreparedIntegration> {
  const provider = await providerOf(ctx, tx, input);
  const environment = input.environment ?? "PRODUCTION";
  const overrides = input.overrides ?? {};
  const overrideFaults = checkOverrides(provider.manifest, overrides);
  if (overrideFaults.length > 0) throw invalidInput(overrideFaults);
  const manifest = applyOverrides(provider.manifest, overrides);
  const { parts, faults } = checkConfig(manifest, {
    environment,
    given: input.config ?? {},
    stored: { open: {}, secretNames: [] },
    policy: addressPolicyOf(ctx.runtime.config),
  });
  if (faults.length > 0) throw invalidInput(faults);
  return { provider, manifest, environment, parts, auth: chooseAuth(manifest, parts.open) };
}

async function providerOf(
  ctx: Context,
  tx: Transaction,
  { providerCode, providerId }: CreateIntegrationInput,
): Promise<ProviderRow> {
  const fault = (path: string, message: string): FieldError[] => [{ path, message }];
  if (providerCode === undefined && providerId === undefined)
    throw invalidInput(fault("/providerCode", "is needed: GET /api/v1/integrations/providers lists them"));
  if (providerCode !== undefined && providerId !== undefined)
    throw invalidInput(fault("/providerId", "must be left out when providerCode is given"));
  const by = providerCode === undefined ? { id: providerId! } : { code: providerCode.toUpperCase() };
  const provider = await findProviderRow(tx, ctx.tenantId, by);
  const path = providerCode === undefined ? "/providerId" : "/providerCode";
  if (provider === undefined)
    throw invalidInput(fault(path, "names no provider; GET /api/v1/integrations/providers lists them"));
  if (provider.manifest.status === "COMING_SOON") throw invalidInput(fault(path, "is not available yet"));
  return provider;
}
