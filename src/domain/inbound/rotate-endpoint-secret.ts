import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { sealSecret } from "../vault/seal-secret.ts";
import { openSecret } from "../vault/open-secret.ts";
import type { RotatedSecret, RotateSecretInput } from "./endpoint-schema.ts";
import { newEndpointSecret, secretLast4 } from "./endpoint-secret.ts";
import { getEndpointRow, updateEndpointRow } from "./endpoint-store.ts";
import { publishEndpointChange } from "./publish-endpoint-change.ts";

const OVERLAP_SECONDS_DEFAULT = 86_400;

/** Old secrets that may verify at a time; each costs a look at every request with a bad signature. */
const PREVIOUS_SECRETS_MAX = 4;

/**
 * Replaces the secret. The old one verifies too during the overlap (0 to 7 days, one day when left out), so that the
 * sender can change over without losing an event. With an overlap of 0 no older secret verifies any more.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `conflict` for a scheme without a secret; 422 `invalid_input`
 */
export async function rotateEndpointSecret(
  ctx: Context,
  input: { id: string } & RotateSecretInput,
): Promise<RotatedSecret> {
  requireScope(ctx, "webhooks:write");
  const overlapSeconds = input.overlapSeconds ?? OVERLAP_SECONDS_DEFAULT;
  const place = { tenantId: ctx.tenantId, table: "webhook_endpoints", rowId: input.id };
  const rotated = await withTenant(ctx, async (tx) => {
    const row = await getEndpointRow(tx, ctx.tenantId, input.id, true);
    if (!row) throw notFound();
    const secret = newEndpointSecret(row.signatureScheme, row, input.secretKey);
    if (secret === null)
      throw new HubError("conflict", `The scheme "${row.signatureScheme}" has no secret to rotate.`);
    const nowMs = ctx.runtime.clock.nowMs();
    const expiresAt = new Date(nowMs + overlapSeconds * 1000).toISOString();
    // Without an overlap the secret is thought to be known to a stranger: none of the older ones may verify either.
    const previous =
      overlapSeconds > 0 ? row.previousSecrets.filter((old) => Date.parse(old.expiresAt) > nowMs) : [];
    if (overlapSeconds > 0) {
      // A blob is bound to its field, so the old secret is opened and sealed anew for the field that it moves to.
      const old = await openSecret(ctx.runtime, tx, { ...place, column: "secret_key" }, row.secretKey);
      previous.push({
        sealed: await sealSecret(
          ctx.runtime,
          tx,
          { ...place, column: "previous_secrets", path: expiresAt },
          old,
        ),
        expiresAt,
      });
    }
    await updateEndpointRow(tx, ctx.tenantId, input.id, {
      secretKey: await sealSecret(ctx.runtime, tx, { ...place, column: "secret_key" }, secret),
      secretLast4: secretLast4(secret),
      previousSecrets: previous.slice(-PREVIOUS_SECRETS_MAX),
    });
    await emitAudit(tx, ctx, {
      verb: "webhook_endpoint.rotate_secret",
      objectType: "webhook_endpoint",
      objectId: input.id,
      changedFields: ["secretKey"],
    });
    return { secretKey: secret, previousExpiresAt: overlapSeconds > 0 ? expiresAt : null };
  });
  await publishEndpointChange(ctx, input.id);
  return rotated;
}
