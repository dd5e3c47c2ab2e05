import { newId, timeOfId } from "../../platform/uuid.ts";
import type { Context, Transaction } from "../context.ts";
import { type AuditEntry, insertAuditRow } from "./store.ts";

/** Writes the audit row in the verb's own transaction, so that neither can exist without the other. */
export async function emitAudit(tx: Transaction, ctx: Context, entry: AuditEntry): Promise<void> {
  const id = newId(ctx.runtime.clock.nowMs());
  await insertAuditRow(tx, {
    ...entry,
    id,
    tenantId: ctx.tenantId,
    actorType: ctx.actor.type,
    actorId: ctx.actor.id,
    changedFields: [...(entry.changedFields ?? [])],
    requestId: ctx.requestId,
    sourceIp: ctx.sourceIp ?? null,
    createdAt: new Date(timeOfId(id)),
  });
}
