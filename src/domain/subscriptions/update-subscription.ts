import { isDeepStrictEqual } from "node:util";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, type Transaction, withTenant } from "../context.ts";
import { type FieldError, invalidInput, notFound } from "../errors.ts";
import { openSecret } from "../vault/open-secret.ts";
import { announceSubscription } from "./announce-subscription.ts";
import { AUTH_SECRET_FIELD } from "./auth-config.ts";
import { checkSubscription, storedHeaders, storedPatterns } from "./check-subscription.ts";
import { SUBSCRIPTION_TABLE } from "./compile-subscription.ts";
import { presentSubscription } from "./present-subscription.ts";
import {
  CONTENT_TYPE_DEFAULT,
  RETRY_INTERVALS_DEFAULT,
  type Subscription,
  type UpdateSubscriptionInput,
} from "./schema.ts";
import { openStoredAuth, sealAuth } from "./seal-auth.ts";
import { SIGNATURE_FORM_DEFAULT } from "./signature-form.ts";
import { signingSecretFault } from "./signing-secret.ts";
import {
  getSubscriptionRow,
  resetFailures,
  type SubscriptionRow,
  type SubscriptionValues,
  updateSubscriptionRow,
} from "./store.ts";
import { publicKeyText } from "./subscription-secret.ts";

/**
 * Changes the fields present; `null` resets a field. The whole subscription is judged as it will stand. `authConfig` is
 * replaced as a whole, but its secret may be left out while `authType`, the origin of `url` and, for OAUTH2, `tokenUrl`
 * stay: a stored credential is sent to nobody for whom it was not given.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 422 `invalid_input` with the path of each fault
 */
export async function updateSubscription(
  ctx: Context,
  input: { id: string; changes: UpdateSubscriptionInput },
): Promise<Subscription> {
  requireScope(ctx, "webhooks:write");
  const { id, changes } = input;
  const row = await withTenant(ctx, async (tx) => {
    const current = await getSubscriptionRow(tx, ctx.tenantId, id, true);
    if (current === undefined) throw notFound();
    const storedAuth = await openStoredAuth(ctx, tx, current);
    const wanted = { ...current, ...plainChanges(ctx, current, changes) };
    const { authConfig, faults } = wantedAuth({ ...current, authConfig: storedAuth }, wanted, changes);
    // On this connection: each further one that a transaction waits for may be held by another such transaction.
    const joined = { ...ctx, outer: { tx, effects: [] } };
    faults.push(...(await checkSubscription(joined, { ...wanted, authConfig })));
    const signing = await judgeSigning(ctx, tx, current, wanted.signatureForm);
    faults.push(...signing.faults);
    if (faults.length > 0) throw invalidInput(faults);
    const changed = changedFields(current, { ...wanted, publicKey: signing.publicKey });
    if (wanted.authType !== current.authType || !isDeepStrictEqual(authConfig, storedAuth))
      changed.authConfig = await sealAuth(ctx, tx, { id, authType: wanted.authType, authConfig });
    if (Object.keys(changed).length === 0) return current;
    await updateSubscriptionRow(tx, ctx.tenantId, id, changed);
    if (changed.status === "ACTIVE") await resetFailures(tx, ctx.tenantId, id);
    await emitAudit(tx, ctx, {
      verb: "webhook_subscription.update",
      objectType: "webhook_subscription",
      objectId: id,
      changedFields: Object.keys(changed),
    });
    return (await getSubscriptionRow(tx, ctx.tenantId, id))!;
  });
  await announceSubscription(ctx, id);
  return presentSubscription(row);
}

type Values = Omit<SubscriptionValues, "id" | "tenantId" | "createdBy">;

/** The fields as they are to stand, authentication's configuration apart. */
function plainChanges(
  ctx: Context,
  current: SubscriptionRow,
  changes: UpdateSubscriptionInput,
): Partial<Values> {
  const { isEnabled, authConfig: _apart, signature, ...given } = changes;
  const defaults: Partial<Values> = {
    authType: "NONE",
    contentType: CONTENT_TYPE_DEFAULT,
    headers: {},
    retryEnabled: true,
    maxRetries: ctx.runtime.config.webhookMaxRetries,
    retryIntervals: [...RETRY_INTERVALS_DEFAULT],
    orderingMode: "NONE",
  };
  const values: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(given)) {
    if (value !== undefined) values[field] = value ?? defaults[field as keyof Values] ?? null;
  }
  if (signature !== undefined) values["signatureForm"] = signature;
  if (given.eventTypes !== undefined) values["eventTypes"] = storedPatterns(given.eventTypes);
  if (given.headers) values["headers"] = storedHeaders(given.headers);
  // The shorthand leaves a disabled one disabled when it says what is so already.
  if (isEnabled !== undefined && given.status === undefined && isEnabled !== (current.status === "ACTIVE"))
    values["status"] = isEnabled ? "ACTIVE" : "PAUSED";
  if (values["status"] !== undefined) values["disabledReason"] = null;
  return values as Partial<Values>;
}

/** The authentication as it is to stand, its secret open; one that is left out is the stored one. */
function wantedAuth(
  stored: SubscriptionRow,
  wanted: Pick<SubscriptionRow, "authType" | "url">,
  changes: UpdateSubscriptionInput,
): { authConfig: Record<string, unknown> | null; faults: FieldError[] } {
  const { authType, url } = wanted;
  const given = changes.authConfig;
  if (authType === "NONE") return { authConfig: given ?? null, faults: [] };
  if (given === null) return { authConfig: null, faults: [] };
  const known = authType === stored.authType ? stored.authConfig : null;
  const field = AUTH_SECRET_FIELD[authType];
  if (known === null || given?.[field] !== undefined) return { authConfig: given ?? null, faults: [] };
  const authConfig = given === undefined ? known : { ...given, [field]: known[field] };
  const moved = movedTo(authType, [stored.url, url], [known["tokenUrl"], authConfig["tokenUrl"]]);
  const message = `must be given again when ${moved} changes, because it is sent there`;
  return { authConfig, faults: moved === undefined ? [] : [{ path: `/authConfig/${field}`, message }] };
}

/** The address that the credential is sent to and that is to be another one. An HMAC secret is sent nowhere. */
function movedTo(
  authType: SubscriptionRow["authType"],
  [oldUrl, newUrl]: readonly [string, string],
  [oldTokenUrl, newTokenUrl]: readonly [unknown, unknown],
): string | undefined {
  if (authType === "OAUTH2" && oldTokenUrl !== newTokenUrl) return "tokenUrl";
  if (authType === "HMAC" || URL.parse(oldUrl)?.origin === URL.parse(newUrl)?.origin) return undefined;
  return "the scheme, host or port of url";
}

/** A new form of the signature must suit the secret that is there. */
async function judgeSigning(
  ctx: Context,
  tx: Transaction,
  current: SubscriptionRow,
  wanted: SubscriptionRow["signatureForm"],
): Promise<{ publicKey: string | null; faults: FieldError[] }> {
  if (isDeepStrictEqual(current.signatureForm, wanted) || current.secretKey === null)
    return { publicKey: current.publicKey, faults: [] };
  const form = wanted ?? SIGNATURE_FORM_DEFAULT;
  const place = {
    tenantId: ctx.tenantId,
    table: SUBSCRIPTION_TABLE,
    rowId: current.id,
    column: "secret_key",
  };
  const secret = await openSecret(ctx.runtime, tx, place, current.secretKey);
  const fault = signingSecretFault(form, secret);
  const message = `the stored secret does not suit it (it ${fault}); rotate the secret first`;
  return {
    publicKey: publicKeyText(form, secret),
    faults: fault === undefined ? [] : [{ path: "/signature", message }],
  };
}

function changedFields(current: SubscriptionRow, wanted: Values): Partial<Values> {
  const changed: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(wanted)) {
    if (field === "authConfig" || isDeepStrictEqual(value, current[field as keyof SubscriptionRow])) continue;
    changed[field] = value;
  }
  return changed as Partial<Values>;
}
