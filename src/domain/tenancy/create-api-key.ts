import { newId, timeOfId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, type Scope, withTenant } from "../context.ts";
import { HubError, invalidInput } from "../errors.ts";
import { makeApiKey } from "./api-key-format.ts";
import { presentApiKey } from "./present-api-key.ts";
import { scopesOf } from "./roles.ts";
import type { CreateApiKeyInput, CreatedApiKey } from "./schema.ts";
import { type ApiKeyRow, insertApiKey } from "./store.ts";

/**
 * Makes an API key of the caller's tenant. Nobody can hand on what they lack.
 *
 * @returns the key's row and the key in clear, which is shown this once
 * @throws HubError `forbidden` without `keys:write` or for a scope that the creator lacks, `invalid_input` for a key
 * without any scope or with an expiry in the past
 */
export async function createApiKey(ctx: Context, input: CreateApiKeyInput): Promise<CreatedApiKey> {
  requireScope(ctx, "keys:write");
  const nowMs = ctx.runtime.clock.nowMs();
  const granted = scopesOf(input.role, input.scopes ?? []);
  if (granted.size === 0)
    throw invalidInput([{ path: "/scopes", message: "a role or at least one scope is needed" }]);
  refuseScopesBeyondCreator(ctx, granted);
  const expiresAt = readExpiry(input.expiresAt, nowMs);

  const made = makeApiKey();
  const id = newId(nowMs);
  const row: ApiKeyRow = {
    id,
    name: input.name,
    prefix: made.prefix,
    role: input.role ?? null,
    scopes: input.scopes ?? [],
    expiresAt,
    lastUsedAt: null,
    createdBy: ctx.actor.id,
    createdAt: new Date(timeOfId(id)),
  };
  await withTenant(ctx, async (tx) => {
    await insertApiKey(tx, { ...row, tenantId: ctx.tenantId, secretHash: made.secretHash.toString("hex") });
    await emitAudit(tx, ctx, {
      verb: "api_key.create",
      objectType: "api_key",
      objectId: id,
      changedFields: ["name", "role", "scopes", "expiresAt"],
    });
  });
  return { ...presentApiKey(row), key: made.key };
}

function refuseScopesBeyondCreator(ctx: Context, granted: ReadonlySet<Scope>): void {
  if (ctx.actor.type === "system" || ctx.actor.type === "job") return;
  const beyond = [...granted].filter((scope) => !ctx.actor.scopes.has(scope));
  if (beyond.length > 0) {
    throw new HubError(
      "forbidden",
      `A key cannot grant scopes that its creator lacks: ${beyond.join(", ")}.`,
    );
  }
}

function readExpiry(text: string | null | undefined, nowMs: number): Date | null {
  if (text === null || text === undefined) return null;
  const expiresAt = new Date(text);
  if (!(expiresAt.getTime() > nowMs))
    throw invalidInput([{ path: "/expiresAt", message: "must lie in the future" }]);
  return expiresAt;
}
