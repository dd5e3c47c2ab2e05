import type { Runtime } from "../../platform/runtime.ts";
import { newId, timeOfId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { systemContext, withTenant } from "../context.ts";
import { findTenant, insertTenant, upsertUser } from "./store.ts";
import type { TokenIdentity } from "./token-claims.ts";

/** Where a token's holder is at home in the hub. */
export interface ProvisionedUser {
  tenantId: string;
  tenantStatus: "ACTIVE" | "SUSPENDED";
  userId: string;
}

/**
 * Finds the tenant and the user of a token, adding what is seen for the first time: the Auth service is the authority
 * on who exists.
 *
 * @returns undefined when `tenant_id` and `tenant` name two different tenants
 */
export async function provisionUser(
  runtime: Runtime,
  identity: TokenIdentity,
  requestId: string,
): Promise<ProvisionedUser | undefined> {
  const found = await findOrAddTenant(runtime, identity, requestId);
  if (found === undefined) return undefined;
  const nowMs = runtime.clock.nowMs();
  const ctx = systemContext(runtime, found.id, "auth", requestId);
  const userId = await withTenant(ctx, (tx) =>
    upsertUser(tx, {
      id: newId(nowMs),
      tenantId: found.id,
      subject: identity.subject,
      email: identity.email,
      name: identity.name,
      seenAt: new Date(nowMs),
    }),
  );
  return { tenantId: found.id, tenantStatus: found.status, userId };
}

async function findOrAddTenant(
  runtime: Runtime,
  identity: TokenIdentity,
  requestId: string,
): Promise<{ id: string; slug: string; status: "ACTIVE" | "SUSPENDED" } | undefined> {
  const known = await find(runtime, identity);
  if (known !== undefined) return agrees(known, identity) ? known : undefined;
  const id = identity.tenantId ?? newId(runtime.clock.nowMs());
  const slug = identity.tenantSlug ?? `t-${id}`;
  const ctx = systemContext(runtime, id, "auth", requestId);
  try {
    await withTenant(ctx, async (tx) => {
      const createdAt = new Date(identity.tenantId === undefined ? timeOfId(id) : runtime.clock.nowMs());
      await insertTenant(tx, { id, slug, name: slug, createdAt });
      await emitAudit(tx, ctx, {
        verb: "tenant.create",
        objectType: "tenant",
        objectId: id,
        changedFields: ["slug", "name"],
      });
    });
    return { id, slug, status: "ACTIVE" };
  } catch (error) {
    if ((error as { code?: string }).code !== "23505") throw error;
    // Another request of the same newcomer was faster, or the slug belongs to a tenant of another id.
    const winner = await find(runtime, identity);
    return winner !== undefined && agrees(winner, identity) ? winner : undefined;
  }
}

function find(runtime: Runtime, identity: TokenIdentity): ReturnType<typeof findTenant> {
  const { tenantId, tenantSlug } = identity;
  return findTenant(runtime.sqlSystem, tenantId === undefined ? { slug: tenantSlug! } : { id: tenantId });
}

function agrees(tenant: { id: string; slug: string }, identity: TokenIdentity): boolean {
  return identity.tenantSlug === undefined || identity.tenantSlug === tenant.slug;
}
