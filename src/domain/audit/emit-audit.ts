import { newId } from "../../platform/uuid.ts";
import type { Context, Transaction } from "../context.ts";

/** One line of the audit log: which verb changed which fields of which object. Values are never recorded. */
export interface AuditEntry {
  /** Verb and noun, for example `webhook_endpoint.create`. */
  verb: string;
  objectType: string;
  objectId: string;
  changedFields?: readonly string[];
}

/** Writes the audit row in the verb's own transaction, so that neither can exist without the other. */
export async function emitAudit(tx: Transaction, ctx: Context, entry: AuditEntry): Promise<void> {
  const id = newId();
  await tx`
    insert into audit_log (id, tenant_id, actor_type, actor_id, verb, object_type, object_id, changed_fields, request_id, source_ip)
    values (${id}, ${ctx.tenantId}, ${ctx.actor.type}, ${ctx.actor.id}, ${entry.verb}, ${entry.objectType},
            ${entry.objectId}, ${[...(entry.changedFields ?? [])]}, ${ctx.requestId}, ${ctx.sourceIp ?? null})`;
}
