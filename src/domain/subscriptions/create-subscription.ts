import { newId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { invalidInput } from "../errors.ts";
import { sealSecret } from "../vault/seal-secret.ts";
import { announceSubscription } from "./announce-subscription.ts";
import { checkSubscription, storedHeaders, storedPatterns } from "./check-subscription.ts";
import { SUBSCRIPTION_TABLE } from "./compile-subscription.ts";
import { presentSubscription } from "./present-subscription.ts";
import {
  CONTENT_TYPE_DEFAULT,
  type CreatedSubscription,
  type CreateSubscriptionInput,
  RETRY_INTERVALS_DEFAULT,
} from "./schema.ts";
import { sealAuth } from "./seal-auth.ts";
import { SIGNATURE_FORM_DEFAULT } from "./signature-form.ts";
import { getSubscriptionRow, insertSubscriptionRow } from "./store.ts";
import { newSubscriptionSecret, publicKeyText, subscriptionSecretLast4 } from "./subscription-secret.ts";

/**
 * Creates a subscription. The answer is the only one, besides a rotation's, that shows the signing secret.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` with the path of each fault
 */
export async function createSubscription(
  ctx: Context,
  input: CreateSubscriptionInput,
): Promise<CreatedSubscription> {
  requireScope(ctx, "webhooks:write");
  const id = newId(ctx.runtime.clock.nowMs());
  const form = input.signature ?? SIGNATURE_FORM_DEFAULT;
  const values = {
    id,
    tenantId: ctx.tenantId,
    name: input.name,
    description: input.description ?? null,
    url: input.url,
    eventTypes: storedPatterns(input.eventTypes),
    filter: input.filter ?? null,
    authType: input.authType ?? "NONE",
    authConfig: input.authConfig ?? null,
    previousSecrets: [],
    contentType: input.contentType ?? CONTENT_TYPE_DEFAULT,
    headers: storedHeaders(input.headers ?? {}),
    transformTemplate: input.transformTemplate ?? null,
    retryEnabled: input.retryEnabled ?? true,
    maxRetries: input.maxRetries ?? ctx.runtime.config.webhookMaxRetries,
    retryIntervals: input.retryIntervals ?? [...RETRY_INTERVALS_DEFAULT],
    rateLimit: input.rateLimit ?? null,
    concurrencyMax: input.concurrencyMax ?? null,
    orderingMode: input.orderingMode ?? "NONE",
    signatureForm: input.signature ?? null,
    status: input.status ?? (input.isEnabled === false ? "PAUSED" : "ACTIVE"),
    disabledReason: null,
    createdBy: ctx.actor.type === "user" ? ctx.actor.id : null,
  };
  const faults = await checkSubscription(ctx, values);
  if (faults.length > 0) throw invalidInput(faults);
  const secret = newSubscriptionSecret(form, input.secretKey);

  const row = await withTenant(ctx, async (tx) => {
    const place = { tenantId: ctx.tenantId, table: SUBSCRIPTION_TABLE, rowId: id, column: "secret_key" };
    await insertSubscriptionRow(tx, {
      ...values,
      authConfig: await sealAuth(ctx, tx, values),
      secretKey: await sealSecret(ctx.runtime, tx, place, secret),
      secretLast4: subscriptionSecretLast4(secret),
      publicKey: publicKeyText(form, secret),
    });
    await emitAudit(tx, ctx, {
      verb: "webhook_subscription.create",
      objectType: "webhook_subscription",
      objectId: id,
      changedFields: Object.keys(input),
    });
    return (await getSubscriptionRow(tx, ctx.tenantId, id))!;
  });
  await announceSubscription(ctx, id);
  return { ...presentSubscription(row), secretKey: secret };
}
