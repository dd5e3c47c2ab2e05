import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError } from "../errors.ts";
import type { TriedConnection } from "../integrations/create-integration.ts";
import { prepareIntegration } from "../integrations/prepare-integration.ts";
import type { CreateIntegrationInput } from "../integrations/schema.ts";
import { integrationIsThere } from "../integrations/store.ts";
import { tryConnection } from "./try-connection.ts";

/**
 * Tests the connection of an integration that is about to be created, before anything is stored and outside of any
 * transaction, because it may take ten seconds.
 *
 * @returns undefined when there is nothing to test: somebody has to log in first, or creating it will be refused, which
 * `createIntegration` then says
 * @throws HubError 403 `forbidden`
 */
export async function tryNewIntegration(
  ctx: Context,
  input: CreateIntegrationInput,
): Promise<TriedConnection | undefined> {
  requireScope(ctx, "integrations:write");
  const prepared = await withTenant(ctx, async (tx) => {
    const found = await prepareIntegration(ctx, tx, input);
    const isTaken = await integrationIsThere(tx, ctx.tenantId, found.provider.id, found.environment);
    return isTaken ? undefined : found;
  }).catch((error: unknown) => {
    if (error instanceof HubError) return undefined;
    throw error;
  });
  if (prepared === undefined || prepared.auth.type === "OAUTH2_CODE") return undefined;
  const { manifest, auth, environment, parts } = prepared;
  return tryConnection(ctx.runtime, {
    tenantId: ctx.tenantId,
    integrationId: null,
    correlationId: ctx.requestId,
    manifest,
    auth,
    environment,
    config: parts.open,
    credentials: { ...parts.secrets, ...parts.oneTime },
  });
}
