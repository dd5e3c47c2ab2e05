import { randomBytes } from "node:crypto";
import { newId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { type FieldError, HubError, invalidInput, notFound } from "../errors.ts";
import { loadedOf } from "../integrations/integration-cache.ts";
import type { LoadedIntegration } from "../integrations/loaded-integration.ts";
import { getIntegrationRow } from "../integrations/store.ts";
import type { OAuth2CodeAuth } from "../providers/auth-schema.ts";
import { escapeToken } from "../providers/fill-template.ts";
import type { Authorization, AuthorizeInput } from "./schema.ts";
import { hashOf, insertSession, sealSession, SESSION_MS } from "./session-store.ts";

/** Where the provider sends the browser back to; registered with every app. */
export function redirectUriOf(publicUrl: string): string {
  return `${publicUrl}/oauth/callback`;
}

/**
 * Prepares a log-in with the provider: an address of the hub with a ticket that opens once, within ten minutes, in the
 * browser of whoever logs in.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `not_oauth` when nobody logs in with this provider; 422
 * `invalid_input` with the path of each fault
 */
export async function authorizeIntegration(
  ctx: Context,
  input: { id: string } & AuthorizeInput,
): Promise<Authorization> {
  requireScope(ctx, "integrations:write");
  const { runtime, tenantId, actor } = ctx;
  const ticket = randomBytes(32).toString("base64url");
  const nowMs = runtime.clock.nowMs();
  const sessionId = newId(nowMs);
  const expiresAt = new Date(nowMs + SESSION_MS);
  const redirectUri = redirectUriOf(runtime.config.publicUrl);
  await withTenant(ctx, async (tx) => {
    const row = await getIntegrationRow(tx, tenantId, input.id);
    if (row === undefined) throw notFound();
    const integration = loadedOf(runtime, row);
    const { auth } = integration;
    if (auth.type !== "OAUTH2_CODE")
      throw new HubError(
        "not_oauth",
        "Nobody logs in with this provider: its credentials are fields of `config`.",
      );
    const faults = faultsOf(integration, auth, input);
    if (faults.length > 0) throw invalidInput(faults);
    const oneTime = input.config ?? {};
    await insertSession(tx, {
      id: sessionId,
      tenantId,
      integrationId: input.id,
      ticketHash: hashOf(ticket),
      redirectUri,
      scopes: input.scopes ?? [...auth.scopes.default],
      actorType: actor.type,
      actorId: actor.id,
      verifierSealed: await sealSession(runtime, tx, { id: sessionId, tenantId }, { oneTime }),
      expiresAt,
    });
    await emitAudit(tx, ctx, {
      verb: "integration.authorize",
      objectType: "integration",
      objectId: input.id,
    });
  });
  const url = `${runtime.config.publicUrl}/oauth/start/${ticket}`;
  return { url, expiresAt: expiresAt.toISOString(), redirectUri };
}

function faultsOf(
  { manifest }: LoadedIntegration,
  { scopes }: OAuth2CodeAuth,
  input: AuthorizeInput,
): FieldError[] {
  const known = new Set([...scopes.default, ...(scopes.optional ?? [])]);
  const unknownScopes = (input.scopes ?? []).flatMap((scope, index) =>
    known.has(scope)
      ? []
      : [
          {
            path: `/scopes/${index}`,
            message: `is none of ${[...known].join(", ") || "(the provider has none)"}`,
          },
        ],
  );
  const oneTime = manifest.fields.filter(({ kind }) => kind === "one-time").map(({ name }) => name);
  const unknownFields = Object.keys(input.config ?? {})
    .filter((name) => !oneTime.includes(name))
    .map((name) => ({
      path: `/config/${escapeToken(name)}`,
      message: `is no one-time field of ${manifest.code}; these are ${oneTime.join(", ") || "none"}`,
    }));
  return [...unknownScopes, ...unknownFields];
}
