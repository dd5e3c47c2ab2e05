import { type Context, requireScope, withTenant } from "../context.ts";
import { type Page, pageOf, type PageInput, readCursor } from "../pagination.ts";
import type { AuditRecord } from "./schema.ts";
import { listAuditRows } from "./store.ts";

/** A page of the audit log, narrowed by any of the fields given. */
export interface ListAuditLogInput extends PageInput {
  verb?: string | undefined;
  objectType?: string | undefined;
  objectId?: string | undefined;
  actorId?: string | undefined;
}

/** A page of the tenant's audit log, newest first. @throws HubError `forbidden` without `logs:read` */
export async function listAuditLog(ctx: Context, input: ListAuditLogInput): Promise<Page<AuditRecord>> {
  requireScope(ctx, "logs:read");
  const { limit, beforeId } = readCursor(input);
  const { verb, objectType, objectId, actorId } = input;
  const rows = await withTenant(ctx, (tx) =>
    listAuditRows(tx, ctx.tenantId, { limit: limit + 1, beforeId }, { verb, objectType, objectId, actorId }),
  );
  return pageOf(rows, limit, (row) => ({
    ...row,
    actorType: row.actorType as AuditRecord["actorType"],
    createdAt: row.createdAt.toISOString(),
  }));
}
