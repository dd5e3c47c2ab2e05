import type { Transaction } from "../context.ts";

/** One line of the audit log: which verb changed which fields of which object. Values are never recorded. */
export interface AuditEntry {
  /** Noun and verb, for example `webhook_endpoint.create`. */
  verb: string;
  objectType: string;
  objectId: string;
  changedFields?: readonly string[];
}

/** A row of audit_log. */
export interface AuditRow {
  id: string;
  actorType: string;
  actorId: string;
  verb: string;
  objectType: string;
  objectId: string;
  changedFields: string[];
  requestId: string | null;
  sourceIp: string | null;
  createdAt: Date;
}

/** What a list of the audit log may be narrowed to. */
export interface AuditFilter {
  verb: string | undefined;
  objectType: string | undefined;
  objectId: string | undefined;
  actorId: string | undefined;
}

/** Appends a row; the roles may neither change nor remove one. */
export async function insertAuditRow(tx: Transaction, row: AuditRow & { tenantId: string }): Promise<void> {
  await tx`
    insert into audit_log (id, tenant_id, actor_type, actor_id, verb, object_type, object_id, changed_fields, request_id,
                           source_ip, created_at)
    values (${row.id}, ${row.tenantId}, ${row.actorType}, ${row.actorId}, ${row.verb}, ${row.objectType},
            ${row.objectId}, ${row.changedFields}, ${row.requestId}, ${row.sourceIp}, ${row.createdAt})`;
}

/** A page of the tenant's audit log, newest first, before the id `beforeId`. */
export async function listAuditRows(
  tx: Transaction,
  tenantId: string,
  page: { limit: number; beforeId: string | undefined },
  filter: AuditFilter,
): Promise<AuditRow[]> {
  return tx<AuditRow[]>`
    select id, actor_type as "actorType", actor_id as "actorId", verb, object_type as "objectType",
           object_id as "objectId", changed_fields as "changedFields", request_id as "requestId",
           source_ip as "sourceIp", created_at as "createdAt"
    from audit_log
    where tenant_id = ${tenantId}
      ${page.beforeId === undefined ? tx`` : tx`and id < ${page.beforeId}`}
      ${filter.verb === undefined ? tx`` : tx`and verb = ${filter.verb}`}
      ${filter.objectType === undefined ? tx`` : tx`and object_type = ${filter.objectType}`}
      ${filter.objectId === undefined ? tx`` : tx`and object_id = ${filter.objectId}`}
      ${filter.actorId === undefined ? tx`` : tx`and actor_id = ${filter.actorId}`}
    order by id desc limit ${page.limit}`;
}
