import { type Context, requireScope, withOuterTransaction } from "../context.ts";
import { removeIntegration } from "../integrations/remove-integration.ts";
import { planRevocation, sendRevocation } from "../oauth/revoke-tokens.ts";

/**
 * Deletes an integration; its history stays. Its tokens are given back to the provider: at once, and for a day again and
 * again where that fails.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `in_use` while webhook endpoints or running jobs use it
 */
export async function deleteIntegration(ctx: Context, input: { id: string }): Promise<void> {
  requireScope(ctx, "integrations:write");
  const revocation = await withOuterTransaction(ctx, async (joined, tx) => {
    const planned = await planRevocation(joined, tx, input.id);
    await removeIntegration(joined, input);
    return planned;
  });
  if (revocation === undefined) return;
  sendRevocation(ctx.runtime, revocation).catch((error: unknown) =>
    ctx.runtime.log.warn({ err: error, integrationId: input.id }, "tokens not given back yet"),
  );
}
