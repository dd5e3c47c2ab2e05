import { isDeepStrictEqual } from "node:util";
import { addressPolicyOf } from "../../platform/egress/address-policy.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, type Transaction, withTenant } from "../context.ts";
import { invalidInput, notFound } from "../errors.ts";
import { publishHubEvents } from "../events/publish-hub-event.ts";
import { authKindOf, authServersOf, chooseAuth } from "../providers/choose-auth.ts";
import type { Values } from "../providers/fill-template.ts";
import type { ProviderManifest } from "../providers/manifest-schema.ts";
import { resolveServer } from "../providers/resolve-server.ts";
import { announceIntegration } from "./announce-integration.ts";
import { applyOverrides, checkOverrides } from "./apply-overrides.ts";
import { changeStatus } from "./change-status.ts";
import { checkConfig } from "./check-config.ts";
import { presentIntegration } from "./present-integration.ts";
import type { Integration, UpdateIntegrationInput } from "./schema.ts";
import { isStoredSecret, openPart, sealFields } from "./secret-fields.ts";
import {
  findProviderRow,
  getIntegrationRow,
  type IntegrationRow,
  type IntegrationValues,
  updateIntegrationRow,
} from "./store.ts";

type Changes = Omit<UpdateIntegrationInput, "isEnabled">;
type Changed = Partial<IntegrationValues>;

/** An integration after a change, and the values that were given for this once. */
export interface UpdatedIntegration {
  integration: Integration;
  oneTime: Record<string, string>;
}

/**
 * Changes the fields present; `null` resets a field. In `config` names that are left out stay, so that a secret need not
 * be given again; the whole is judged as it will stand. Tokens that belong to another app or another server than the new
 * configuration names are forgotten, and somebody has to log in again.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 422 `invalid_input` with the path of each fault
 */
export async function updateIntegration(
  ctx: Context,
  input: { id: string; changes: Changes },
): Promise<UpdatedIntegration> {
  requireScope(ctx, "integrations:write");
  const { id, changes } = input;
  const { row, oneTime } = await withTenant(ctx, async (tx) => {
    const current = await getIntegrationRow(tx, ctx.tenantId, id, true);
    if (current === undefined) throw notFound();
    const planned = await planChanges(ctx, tx, current, changes);
    const { names, values } = planned;
    if (names.length === 0) return { row: current, oneTime: planned.oneTime };
    const userId = ctx.actor.type === "user" ? ctx.actor.id : null;
    await updateIntegrationRow(tx, ctx.tenantId, id, { ...values, updatedBy: userId });
    const now = new Date(ctx.runtime.clock.nowMs());
    const correlationId = ctx.requestId;
    if (planned.needsLogIn) {
      const error = { code: "credentials_changed", message: "The log-in belongs to another app or server" };
      await changeStatus(tx, current, { cause: "authorization_needed", now, correlationId, error });
    }
    await emitAudit(tx, ctx, {
      verb: "integration.update",
      objectType: "integration",
      objectId: id,
      changedFields: names,
    });
    await publishHubEvents(tx, [
      {
        tenantId: ctx.tenantId,
        type: "integration.updated",
        orderingKey: id,
        occurredAt: now,
        correlationId,
        data: { integrationId: id, providerCode: current.providerCode, changedFields: names },
      },
    ]);
    return { row: (await getIntegrationRow(tx, ctx.tenantId, id))!, oneTime: planned.oneTime };
  });
  await announceIntegration(ctx, id);
  return { integration: presentIntegration(ctx.runtime.config, row), oneTime };
}

interface Plan {
  values: Changed;
  /** Names of what changes, those of the configuration as `config.<name>`. */
  names: string[];
  oneTime: Record<string, string>;
  needsLogIn: boolean;
}

async function planChanges(
  ctx: Context,
  tx: Transaction,
  current: IntegrationRow,
  changes: Changes,
): Promise<Plan> {
  const { config, overrides, ...plain } = changes;
  const defaults: Changed = { retryEnabled: true, customFields: {} };
  const values: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(plain)) {
    if (value === undefined) continue;
    const wanted = value ?? defaults[field as keyof Changed] ?? null;
    if (!isDeepStrictEqual(wanted, current[field as keyof IntegrationRow])) values[field] = wanted;
  }
  const plan: Plan = { values, names: Object.keys(values), oneTime: {}, needsLogIn: false };
  if (config === undefined && overrides === undefined) return plan;
  await planConfig(ctx, tx, current, { given: config ?? {}, overrides, plan });
  return plan;
}

/** Judges the configuration against the provider as it is described now, and adds what changes to the plan. */
async function planConfig(
  ctx: Context,
  tx: Transaction,
  current: IntegrationRow,
  input: { given: Record<string, unknown>; overrides: Changes["overrides"]; plan: Plan },
): Promise<void> {
  const { given, plan } = input;
  const provider = (await findProviderRow(tx, ctx.tenantId, { id: current.providerId }))!;
  const overrides = input.overrides === undefined ? current.overrides : (input.overrides ?? {});
  const overrideFaults = checkOverrides(provider.manifest, overrides);
  if (overrideFaults.length > 0) throw invalidInput(overrideFaults);
  const manifest = applyOverrides(provider.manifest, overrides);
  const open = openPart(current.config);
  const secretNames = Object.keys(current.config).filter((name) => isStoredSecret(current.config[name]));
  const { parts, removed, faults } = checkConfig(manifest, {
    environment: current.environment,
    given,
    stored: { open, secretNames },
    policy: addressPolicyOf(ctx.runtime.config),
  });
  if (faults.length > 0) throw invalidInput(faults);
  plan.oneTime = parts.oneTime;
  const changed = [
    ...Object.keys({ ...open, ...parts.open }).filter((name) => open[name] !== parts.open[name]),
    ...Object.keys(parts.secrets),
    ...removed,
  ];
  if (!isDeepStrictEqual(overrides, current.overrides)) {
    plan.values.overrides = overrides;
    plan.names.push("overrides");
  }
  if (changed.length === 0 && current.providerVersion === null) return;
  plan.names.push(...changed.map((name) => `config.${name}`));
  const kept = Object.entries(current.config).filter(
    ([name, value]) => isStoredSecret(value) && !removed.includes(name),
  );
  const sealed = await sealFields(ctx.runtime, tx, current, parts.secrets);
  const auth = chooseAuth(manifest, parts.open);
  Object.assign(plan.values, {
    config: { ...parts.open, ...Object.fromEntries(kept), ...sealed.config },
    providerVersion: null,
    authType: authKindOf(auth),
    ...(sealed.apiKeyEncrypted === undefined ? {} : { apiKeyEncrypted: sealed.apiKeyEncrypted }),
    ...(removed.includes("apiKey") ? { apiKeyEncrypted: null } : {}),
  } satisfies Changed);
  if (current.oauthTokens === null) return;
  const isLogIn = auth.type === "OAUTH2_CODE";
  const isKept =
    isLogIn && logInOf(manifest, current, parts.open) === logInOf(current.manifest, current, open);
  if (isKept) return;
  plan.values.oauthTokens = null;
  plan.values.oauthExpiresAt = null;
  plan.values.oauthRefreshAt = null;
  plan.values.oauthLoginAt = null;
  plan.values.oauthLoginEndsAt = null;
  plan.needsLogIn = isLogIn;
}

/** Whose tokens a configuration uses: the app's id, and the addresses that gave them. */
function logInOf(manifest: ProviderManifest, row: IntegrationRow, config: Values): string {
  const { environment } = row;
  const servers = authServersOf(chooseAuth(manifest, config)).map((name) => {
    const server = resolveServer(manifest, { environment, config, name });
    return server.ok ? server.baseUrl : server.code;
  });
  return JSON.stringify([config["clientId"], servers]);
}
