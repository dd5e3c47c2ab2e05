import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";

/** A described type with its newest version. */
export interface EventTypeRow {
  id: string;
  type: string;
  description: string | null;
  version: number | null;
  schema: Record<string, unknown> | null;
  sample: unknown;
  createdAt: Date;
  updatedAt: Date;
}

export interface EventTypeVersionRow {
  version: number;
  schema: Record<string, unknown> | null;
  sample: unknown;
  createdAt: Date;
}

/** Versions shown of a type. */
const VERSIONS_MAX = 100;

/** The tenant's described types in the order of their names. */
export async function listEventTypeRows(tx: Transaction, tenantId: string): Promise<EventTypeRow[]> {
  return tx<EventTypeRow[]>`
    select t.id, t.type, t.description, v.version, v.schema, v.sample, t.created_at as "createdAt",
      t.updated_at as "updatedAt"
    from event_types t
    left join lateral (
      select version, schema, sample from event_type_versions v
      where v.tenant_id = t.tenant_id and v.type = t.type order by version desc limit 1
    ) v on true
    where t.tenant_id = ${tenantId} order by t.type`;
}

/** The tenant's description of one type. */
export async function getEventTypeRow(
  tx: Transaction,
  tenantId: string,
  type: string,
): Promise<EventTypeRow | undefined> {
  const [row] = await tx<EventTypeRow[]>`
    select t.id, t.type, t.description, v.version, v.schema, v.sample, t.created_at as "createdAt",
      t.updated_at as "updatedAt"
    from event_types t
    left join lateral (
      select version, schema, sample from event_type_versions v
      where v.tenant_id = t.tenant_id and v.type = t.type order by version desc limit 1
    ) v on true
    where t.tenant_id = ${tenantId} and t.type = ${type}`;
  return row;
}

/** Versions of a type, newest first. */
export async function listVersionRows(
  tx: Transaction,
  tenantId: string,
  type: string,
): Promise<EventTypeVersionRow[]> {
  return tx<EventTypeVersionRow[]>`
    select version, schema, sample, created_at as "createdAt" from event_type_versions
    where tenant_id = ${tenantId} and type = ${type} order by version desc limit ${VERSIONS_MAX}`;
}

/** Makes the type's row when it is missing and locks it, so that two writers cannot make the same version. */
export async function lockEventType(
  tx: Transaction,
  tenantId: string,
  type: string,
): Promise<{ isNew: boolean }> {
  const inserted = await tx`
    insert into event_types (tenant_id, type) values (${tenantId}, ${type})
    on conflict (tenant_id, type) do nothing returning id`;
  await tx`select 1 from event_types where tenant_id = ${tenantId} and type = ${type} for update`;
  return { isNew: inserted.length > 0 };
}

/** How many types the tenant has described. */
export async function countEventTypes(tx: Transaction, tenantId: string): Promise<number> {
  const [row] = await tx<{ count: number }[]>`
    select count(*)::int as count from event_types where tenant_id = ${tenantId}`;
  return row!.count;
}

/** Sets the description (undefined leaves it), and the time of the change. */
export async function updateEventType(
  tx: Transaction,
  tenantId: string,
  type: string,
  description: string | null | undefined,
): Promise<void> {
  await tx`
    update event_types
    set updated_at = now() ${description === undefined ? tx`` : tx`, description = ${description}`}
    where tenant_id = ${tenantId} and type = ${type}`;
}

/** Adds a version; a version that is there raises 23505. */
export async function insertVersion(
  tx: Transaction,
  tenantId: string,
  type: string,
  version: { version: number; schema: Record<string, unknown> | null; sample: unknown },
): Promise<void> {
  await tx`
    insert into event_type_versions (tenant_id, type, version, schema, sample)
    values (${tenantId}, ${type}, ${version.version}, ${version.schema === null ? null : tx.json(version.schema as never)},
            ${version.sample === null ? null : tx.json(version.sample as never)})`;
}

/** Newest version of each of the tenant's types (role hub_system). */
export async function readNewestVersions(
  sql: Sql,
  tenantId: string,
): Promise<{ type: string; version: number }[]> {
  return sql<{ type: string; version: number }[]>`
    select type, max(version) as version from event_type_versions where tenant_id = ${tenantId} group by type`;
}

/** Schema of one version (role hub_system); undefined when there is no such version. */
export async function readVersionSchema(
  sql: Sql,
  tenantId: string,
  type: string,
  version: number,
): Promise<{ schema: Record<string, unknown> | null } | undefined> {
  const [row] = await sql<{ schema: Record<string, unknown> | null }[]>`
    select schema from event_type_versions
    where tenant_id = ${tenantId} and type = ${type} and version = ${version}`;
  return row;
}
