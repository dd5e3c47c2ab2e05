import { type Context, requireScope } from "../context.ts";
import { disableIntegration } from "../integrations/disable-integration.ts";
import type { Integration, UpdateIntegrationInput } from "../integrations/schema.ts";
import { updateIntegration } from "../integrations/update-integration.ts";
import { enableIntegration } from "./enable-integration.ts";
import { verifyIntegration } from "./verify-integration.ts";

/**
 * Changes an integration; `isEnabled` is the shorthand for enabling, which tests first, and disabling. One-time values are
 * used at once, for a log-in.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `connection_test_failed` or `reauthorization_required` when it is
 * to be enabled and cannot, the changes being stored; 422 `invalid_input` with the path of each fault
 */
export async function changeIntegration(
  ctx: Context,
  input: { id: string; changes: UpdateIntegrationInput },
): Promise<Integration> {
  requireScope(ctx, "integrations:write");
  const { id } = input;
  const { isEnabled, ...changes } = input.changes;
  const { integration, oneTime } = await updateIntegration(ctx, { id, changes });
  if (Object.keys(oneTime).length > 0) await verifyIntegration(ctx, { id, oneTime });
  if (isEnabled === undefined || isEnabled === integration.isEnabled) return integration;
  return isEnabled ? enableIntegration(ctx, { id }) : disableIntegration(ctx, { id });
}
