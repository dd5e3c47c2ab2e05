import { type Context, requireScope } from "../context.ts";
import { removeIntegration } from "../integrations/remove-integration.ts";

/**
 * Deletes an integration; its history stays.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `in_use` while webhook endpoints or running jobs use it
 */
export async function deleteIntegration(ctx: Context, input: { id: string }): Promise<void> {
  requireScope(ctx, "integrations:write");
  await removeIntegration(ctx, input);
}
