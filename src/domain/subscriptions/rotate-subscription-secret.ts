import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { openSecret } from "../vault/open-secret.ts";
import { sealSecret } from "../vault/seal-secret.ts";
import { announceSubscription } from "./announce-subscription.ts";
import { SUBSCRIPTION_TABLE } from "./compile-subscription.ts";
import type { RotatedSubscriptionSecret, RotateSubscriptionSecretInput } from "./schema.ts";
import { SIGNATURE_FORM_DEFAULT } from "./signature-form.ts";
import { getSubscriptionRow, type PreviousSecret, updateSubscriptionRow } from "./store.ts";
import { newSubscriptionSecret, publicKeyText, subscriptionSecretLast4 } from "./subscription-secret.ts";

const OVERLAP_SECONDS_DEFAULT = 86_400;

/** Old secrets that sign at a time; each costs a signature of every attempt, and room in one header. */
const PREVIOUS_SECRETS_MAX = 9;

/**
 * Replaces the signing secret. Deliveries carry a signature of the old one too during the overlap (0 to 7 days, one day
 * when left out), so that the receiver can change over without losing an event. Without an overlap every older secret
 * ends. A secret that is given again signs once: the call may be repeated.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 422 `invalid_input` for a secret that does not suit the signature
 */
export async function rotateSubscriptionSecret(
  ctx: Context,
  input: { id: string } & RotateSubscriptionSecretInput,
): Promise<RotatedSubscriptionSecret> {
  requireScope(ctx, "webhooks:write");
  const overlapSeconds = input.overlapSeconds ?? OVERLAP_SECONDS_DEFAULT;
  const place = { tenantId: ctx.tenantId, table: SUBSCRIPTION_TABLE, rowId: input.id };
  const rotated = await withTenant(ctx, async (tx) => {
    const row = await getSubscriptionRow(tx, ctx.tenantId, input.id, true);
    if (row === undefined) throw notFound();
    const form = row.signatureForm ?? SIGNATURE_FORM_DEFAULT;
    const secret = newSubscriptionSecret(form, input.secretKey);
    const nowMs = ctx.runtime.clock.nowMs();
    const expiresAt = new Date(nowMs + overlapSeconds * 1000).toISOString();
    // Without an overlap nothing is signed with any of the older ones, which the answer says too.
    const previous: PreviousSecret[] = [];
    for (const old of overlapSeconds > 0 ? row.previousSecrets : []) {
      const at = { ...place, column: "previous_secrets", path: old.expiresAt };
      if (Date.parse(old.expiresAt) <= nowMs) continue;
      // oxlint-disable-next-line no-await-in-loop -- a handful
      if ((await openSecret(ctx.runtime, tx, at, old.sealed)) !== secret) previous.push(old);
    }
    if (overlapSeconds > 0 && row.secretKey !== null) {
      // A blob is bound to its field, so the old secret is opened and sealed anew for the field that it moves to.
      const old = await openSecret(ctx.runtime, tx, { ...place, column: "secret_key" }, row.secretKey);
      const moved = { ...place, column: "previous_secrets", path: expiresAt };
      if (old !== secret) previous.push({ sealed: await sealSecret(ctx.runtime, tx, moved, old), expiresAt });
    }
    const kept = previous.slice(-PREVIOUS_SECRETS_MAX);
    const publicKey = publicKeyText(form, secret);
    await updateSubscriptionRow(tx, ctx.tenantId, input.id, {
      secretKey: await sealSecret(ctx.runtime, tx, { ...place, column: "secret_key" }, secret),
      secretLast4: subscriptionSecretLast4(secret),
      publicKey,
      previousSecrets: kept,
    });
    await emitAudit(tx, ctx, {
      verb: "webhook_subscription.rotate_secret",
      objectType: "webhook_subscription",
      objectId: input.id,
      changedFields: ["secretKey"],
    });
    return { secretKey: secret, publicKey, previousExpiresAt: kept.at(-1)?.expiresAt ?? null };
  });
  await announceSubscription(ctx, input.id);
  return rotated;
}
