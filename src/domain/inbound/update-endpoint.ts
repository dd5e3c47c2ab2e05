import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, type Transaction, withTenant } from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { sealSecret } from "../vault/seal-secret.ts";
import { checkEndpoint } from "./check-endpoint.ts";
import { requireIntegration } from "./create-endpoint.ts";
import {
  BODY_BYTES_DEFAULT,
  DEDUPE_WINDOW_SECONDS_DEFAULT,
  type Endpoint,
  type UpdateEndpointInput,
} from "./endpoint-schema.ts";
import {
  type EndpointRow,
  type EndpointValues,
  getEndpointRow,
  updateEndpointRow,
} from "./endpoint-store.ts";
import { secretLast4 } from "./endpoint-secret.ts";
import { publishEndpointChange } from "./publish-endpoint-change.ts";
import { presentEndpoint } from "./present-endpoint.ts";
import { keepsEarlierSecrets } from "./schemes/check-scheme.ts";
import { findScheme } from "./schemes/registry.ts";
import { type Rule, ruleOf, type SchemeSettings } from "./schemes/scheme.ts";

const UNIQUE_VIOLATION = "23505";

/** What `null` resets a field to. */
const DEFAULTS: Partial<EndpointValues> = {
  signatureScheme: "hmac",
  eventTypes: [],
  status: "ACTIVE",
  dedupeWindowSeconds: DEDUPE_WINDOW_SECONDS_DEFAULT,
  maxBodyBytes: BODY_BYTES_DEFAULT,
};

/**
 * Changes the fields present; `null` resets a field. The whole endpoint is judged as it will stand, so that a change
 * of scheme cannot leave a secret behind that is too short for it.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `conflict` when the new path is taken; 422 `invalid_input`
 */
export async function updateEndpoint(
  ctx: Context,
  input: { id: string; changes: UpdateEndpointInput },
): Promise<Endpoint> {
  requireScope(ctx, "webhooks:write");
  const row = await withTenant(ctx, async (tx) => {
    const current = await getEndpointRow(tx, ctx.tenantId, input.id, true);
    if (!current) throw notFound();
    const { secretKey, ...changes } = input.changes;
    const changed = changedValues(current, changes);
    if (Object.keys(changed).length === 0 && secretKey === undefined) return current;
    const wanted = { ...current, ...changed };
    await checkEndpoint(ctx, wanted, secretKey, { tx, row: current });
    if (!keepsEarlierSecrets(ruleOfRow(current), ruleOfRow(wanted))) changed.previousSecrets = [];
    if (secretKey !== undefined) Object.assign(changed, await sealedSecret(ctx, tx, input.id, secretKey));
    if (changed.integrationId !== undefined) await requireIntegration(ctx, tx, changed.integrationId);
    try {
      await updateEndpointRow(tx, ctx.tenantId, input.id, changed);
    } catch (error) {
      if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
      throw new HubError("conflict", `The path "${changed.endpointPath}" is taken by another endpoint.`);
    }
    await emitAudit(tx, ctx, {
      verb: "webhook_endpoint.update",
      objectType: "webhook_endpoint",
      objectId: input.id,
      changedFields: Object.keys(changed),
    });
    return (await getEndpointRow(tx, ctx.tenantId, input.id))!;
  });
  await publishEndpointChange(ctx, input.id);
  return presentEndpoint(ctx.runtime.config, row);
}

function ruleOfRow(row: Pick<EndpointValues, "signatureScheme"> & SchemeSettings): Rule {
  return ruleOf(findScheme(row.signatureScheme)!, row);
}

async function sealedSecret(
  ctx: Context,
  tx: Transaction,
  id: string,
  secret: string,
): Promise<Pick<EndpointValues, "secretKey" | "secretLast4">> {
  const place = { tenantId: ctx.tenantId, table: "webhook_endpoints", rowId: id, column: "secret_key" };
  return {
    secretKey: await sealSecret(ctx.runtime, tx, place, secret),
    secretLast4: secretLast4(secret),
  };
}

function changedValues(
  current: EndpointRow,
  changes: Omit<UpdateEndpointInput, "secretKey">,
): Partial<EndpointValues> {
  const { isEnabled, ...given } = changes;
  const values: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const wanted = value === null ? (DEFAULTS[field as keyof EndpointValues] ?? null) : value;
    if (JSON.stringify(wanted) !== JSON.stringify(current[field as keyof EndpointRow]))
      values[field] = wanted;
  }
  if (
    isEnabled !== undefined &&
    changes.status === undefined &&
    isEnabled !== (current.status === "ACTIVE")
  ) {
    values["status"] = isEnabled ? "ACTIVE" : "DISABLED";
  }
  if (values["endpointPath"] !== undefined) values["pathGenerated"] = false;
  return values as Partial<EndpointValues>;
}
