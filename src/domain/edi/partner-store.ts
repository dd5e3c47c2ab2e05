import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import type { PartnerSettings } from "./partner-schema.ts";

/** A row of x12_partners. */
export interface PartnerRow {
  id: string;
  tenantId: string;
  name: string;
  isaQualifier: string;
  isaId: string;
  ownIsaQualifier: string;
  ownIsaId: string;
  gsId: string;
  ownGsId: string;
  version: string;
  settings: PartnerSettings;
  createdAt: Date;
  updatedAt: Date;
}

/** Columns that the verbs write. */
export type PartnerValues = Omit<PartnerRow, "id" | "tenantId" | "createdAt" | "updatedAt">;

const columns = (sql: Sql | Transaction) => sql`
  id, tenant_id as "tenantId", name, isa_qualifier as "isaQualifier", isa_id as "isaId",
  own_isa_qualifier as "ownIsaQualifier", own_isa_id as "ownIsaId", gs_id as "gsId", own_gs_id as "ownGsId", version,
  settings, created_at as "createdAt", updated_at as "updatedAt"`;

/** The tenant's partner with this id; `lock` holds the row until the transaction ends. */
export async function getPartnerRow(
  tx: Transaction,
  tenantId: string,
  id: string,
  lock = false,
): Promise<PartnerRow | undefined> {
  const [row] = await tx<PartnerRow[]>`
    select ${columns(tx)} from x12_partners
    where tenant_id = ${tenantId} and id = ${id} and deleted_at is null ${lock ? tx`for update` : tx``}`;
  return row;
}

/** All partners of a tenant, for the hub's own processes (role hub_system): a tenant has tens to hundreds. */
export async function findPartnerRows(sql: Sql, tenantId: string): Promise<PartnerRow[]> {
  return sql<PartnerRow[]>`
    select ${columns(sql)} from x12_partners where tenant_id = ${tenantId} and deleted_at is null order by id`;
}

/** A page of the tenant's partners, newest first, before the id `beforeId`. */
export async function listPartnerRows(
  tx: Transaction,
  tenantId: string,
  page: { limit: number; beforeId: string | undefined },
): Promise<PartnerRow[]> {
  return tx<PartnerRow[]>`
    select ${columns(tx)} from x12_partners
    where tenant_id = ${tenantId} and deleted_at is null
      ${page.beforeId === undefined ? tx`` : tx`and id < ${page.beforeId}`}
    order by id desc limit ${page.limit}`;
}

/** @throws PostgresError 23505 on `x12_partners_envelope` when another partner has the envelope */
export async function insertPartnerRow(
  tx: Transaction,
  partner: PartnerValues & { id: string; tenantId: string },
): Promise<PartnerRow> {
  const [row] = await tx<PartnerRow[]>`
    insert into x12_partners (id, tenant_id, name, isa_qualifier, isa_id, own_isa_qualifier, own_isa_id, gs_id,
                              own_gs_id, version, settings)
    values (${partner.id}, ${partner.tenantId}, ${partner.name}, ${partner.isaQualifier}, ${partner.isaId},
            ${partner.ownIsaQualifier}, ${partner.ownIsaId}, ${partner.gsId}, ${partner.ownGsId}, ${partner.version},
            ${JSON.stringify(partner.settings)}::text::jsonb)
    returning ${columns(tx)}`;
  return row!;
}

/** @throws PostgresError 23505 on `x12_partners_envelope` when another partner has the envelope */
export async function updatePartnerRow(
  tx: Transaction,
  tenantId: string,
  id: string,
  partner: PartnerValues,
): Promise<PartnerRow> {
  const [row] = await tx<PartnerRow[]>`
    update x12_partners set
      name = ${partner.name}, isa_qualifier = ${partner.isaQualifier}, isa_id = ${partner.isaId},
      own_isa_qualifier = ${partner.ownIsaQualifier}, own_isa_id = ${partner.ownIsaId}, gs_id = ${partner.gsId},
      own_gs_id = ${partner.ownGsId}, version = ${partner.version},
      settings = ${JSON.stringify(partner.settings)}::text::jsonb, updated_at = now()
    where tenant_id = ${tenantId} and id = ${id} and deleted_at is null
    returning ${columns(tx)}`;
  return row!;
}

/** @returns false when there is none */
export async function deletePartnerRow(tx: Transaction, tenantId: string, id: string): Promise<boolean> {
  const rows = await tx`
    update x12_partners set deleted_at = now(), updated_at = now()
    where tenant_id = ${tenantId} and id = ${id} and deleted_at is null returning id`;
  return rows.length === 1;
}
