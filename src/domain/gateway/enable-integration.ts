import { type Context, requireScope } from "../context.ts";
import { HubError } from "../errors.ts";
import type { Integration } from "../integrations/schema.ts";
import { verifyIntegration } from "./verify-integration.ts";

/**
 * Enables an integration once its connection test passes; what its webhook endpoints held is worked off then.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `connection_test_failed` with the fields to blame, 409
 * `reauthorization_required` when nobody has logged in
 */
export async function enableIntegration(ctx: Context, input: { id: string }): Promise<Integration> {
  requireScope(ctx, "integrations:write");
  const { test, integration } = await verifyIntegration(ctx, { id: input.id, purpose: "enable" });
  if (!test.passed) {
    const errors = test.fields.map((path) => ({ path, message: test.message }));
    throw new HubError("connection_test_failed", `${test.code}: ${test.message}`, { errors });
  }
  return integration;
}
