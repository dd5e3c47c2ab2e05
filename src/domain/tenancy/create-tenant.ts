import { newId, timeOfId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, SCOPES, withTenant } from "../context.ts";
import { HubError, invalidInput } from "../errors.ts";
import { createApiKey } from "./create-api-key.ts";
import { type CreatedTenant, type CreateTenantInput, TENANT_SLUG } from "./schema.ts";
import { insertTenant } from "./store.ts";

/** Unique violation (PostgreSQL error codes, appendix A). */
const UNIQUE_VIOLATION = "23505";

/**
 * Adds a tenant with its first API key (role owner), both in one transaction.
 *
 * @returns the tenant and the key in clear, which is shown this once
 * @throws HubError `forbidden` without `platform:admin`, `invalid_input` for a bad slug, `conflict` for one that is taken
 */
export async function createTenant(ctx: Context, input: CreateTenantInput): Promise<CreatedTenant> {
  requireScope(ctx, "platform:admin");
  if (!TENANT_SLUG.test(input.slug)) {
    throw invalidInput([
      { path: "/slug", message: "1 to 100 letters, digits, - or _, and not of a UUID's form" },
    ]);
  }
  const id = newId(ctx.runtime.clock.nowMs());
  const { outer: _outer, ...own } = ctx;
  const tenantCtx: Context = { ...own, tenantId: id };
  try {
    return await withTenant(tenantCtx, async (tx) => {
      await insertTenant(tx, {
        id,
        slug: input.slug,
        name: input.name ?? input.slug,
        createdAt: new Date(timeOfId(id)),
      });
      await emitAudit(tx, tenantCtx, {
        verb: "tenant.create",
        objectType: "tenant",
        objectId: id,
        changedFields: ["slug", "name"],
      });
      // The first key of a tenant may do more than its creator, who belongs to another tenant or to none.
      const granting = {
        ...tenantCtx,
        actor: { ...ctx.actor, scopes: new Set(SCOPES) },
        outer: { tx, effects: [] },
      };
      const { key } = await createApiKey(granting, { name: "first key", role: "owner" });
      return { tenant: { id, slug: input.slug }, apiKey: key };
    });
  } catch (error) {
    if ((error as { code?: string }).code === UNIQUE_VIOLATION) {
      throw new HubError("conflict", `The slug "${input.slug}" is taken.`);
    }
    throw error;
  }
}
