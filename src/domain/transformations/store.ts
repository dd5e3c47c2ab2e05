import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import type { MappingRules, ValidationRules } from "./mapping/rules.ts";
import type { DocumentFormat } from "./transformation-schema.ts";

/** What a version fixes: everything that decides what comes out of a document. */
export interface VersionContent {
  sourceFormat: DocumentFormat;
  targetFormat: DocumentFormat;
  mappingRules: MappingRules;
  validationRules: ValidationRules | null;
}

/** A row of transformation_templates: the head, with the content of its newest version. */
export interface TransformationRow extends VersionContent {
  id: string;
  /** Null: a system template. */
  tenantId: string | null;
  code: string;
  name: string;
  description: string | null;
  category: string | null;
  isSystem: boolean;
  isActive: boolean;
  version: number;
  createdAt: Date;
  updatedAt: Date;
  createdBy: string | null;
}

/** A row of transformation_versions. */
export interface VersionRow extends VersionContent {
  id: string;
  templateId: string;
  version: number;
  note: string | null;
  restoredFrom: number | null;
  subTemplates: string[];
  createdBy: string | null;
  createdAt: Date;
}

/** What of a version its maker tells besides the content. */
export interface VersionFacts {
  note: string | null;
  restoredFrom: number | null;
  /** Codes of the templates that its rules call. */
  subTemplates: readonly string[];
  createdBy: string | null;
}

const content = (sql: Sql | Transaction, alias: string) =>
  sql.unsafe(
    `${alias}.source_format as "sourceFormat", ${alias}.target_format as "targetFormat",
    ${alias}.mapping_rules as "mappingRules", ${alias}.validation_rules as "validationRules"`,
  );

const headColumns = (sql: Sql | Transaction) => sql`
  t.id, t.tenant_id as "tenantId", t.code, t.name, t.description, t.category, t.is_system as "isSystem",
  t.is_active as "isActive", t.version, t.created_at as "createdAt", t.updated_at as "updatedAt",
  t.created_by as "createdBy", ${content(sql, "t")}`;

const versionColumns = (sql: Sql | Transaction) => sql`
  v.id, v.template_id as "templateId", v.version, v.note, v.restored_from as "restoredFrom",
  v.sub_templates as "subTemplates", v.created_by as "createdBy", v.created_at as "createdAt", ${content(sql, "v")}`;

/** The template with this id as the tenant sees it: its own, or a system template. */
export async function getTransformationRow(
  tx: Transaction,
  tenantId: string,
  id: string,
): Promise<TransformationRow | undefined> {
  const [row] = await tx<TransformationRow[]>`
    select ${headColumns(tx)} from transformation_templates t
    where t.id = ${id} and (t.tenant_id = ${tenantId} or t.tenant_id is null) and t.deleted_at is null`;
  return row;
}

/** The same, one of the tenant's own locked until the transaction ends: whoever changes or names it waits. */
export async function lockTransformationRow(
  tx: Transaction,
  tenantId: string,
  id: string,
): Promise<TransformationRow | undefined> {
  const [row] = await tx<TransformationRow[]>`
    select ${headColumns(tx)} from transformation_templates t
    where t.id = ${id} and t.tenant_id = ${tenantId} and t.deleted_at is null for update`;
  return row ?? getTransformationRow(tx, tenantId, id);
}

/** What a list may be narrowed to. */
export interface TransformationFilter {
  code?: string | undefined;
  category?: string | undefined;
  sourceFormat?: string | undefined;
  targetFormat?: string | undefined;
  isSystem?: boolean | undefined;
  isActive?: boolean | undefined;
}

/** A page of the templates that a tenant sees, newest first. */
export async function listTransformationRows(
  tx: Transaction,
  tenantId: string,
  page: { limit: number; beforeId: string | undefined },
  filter: TransformationFilter,
): Promise<TransformationRow[]> {
  const { code, category, sourceFormat, targetFormat, isSystem, isActive } = filter;
  return tx<TransformationRow[]>`
    select ${headColumns(tx)} from transformation_templates t
    where (t.tenant_id = ${tenantId} or t.tenant_id is null) and t.deleted_at is null
      ${page.beforeId === undefined ? tx`` : tx`and t.id < ${page.beforeId}`}
      ${code === undefined ? tx`` : tx`and t.code = ${code}`}
      ${category === undefined ? tx`` : tx`and t.category = ${category}`}
      ${sourceFormat === undefined ? tx`` : tx`and t.source_format = ${sourceFormat}`}
      ${targetFormat === undefined ? tx`` : tx`and t.target_format = ${targetFormat}`}
      ${isSystem === undefined ? tx`` : tx`and t.is_system = ${isSystem}`}
      ${isActive === undefined ? tx`` : tx`and t.is_active = ${isActive}`}
    order by t.id desc limit ${page.limit}`;
}

/** What a new template is. */
export interface NewTransformation extends VersionContent {
  id: string;
  tenantId: string;
  code: string;
  name: string;
  description: string | null;
  category: string | null;
  isActive: boolean;
  createdBy: string | null;
}

/** Inserts the head of a new template, with version 1. @returns false when the tenant has one of this code already */
export async function insertTransformation(tx: Transaction, made: NewTransformation): Promise<boolean> {
  const rows = await tx`
    insert into transformation_templates (id, tenant_id, code, name, description, category, is_active, created_by,
      source_format, target_format, mapping_rules, validation_rules)
    values (${made.id}, ${made.tenantId}, ${made.code}, ${made.name}, ${made.description}, ${made.category},
      ${made.isActive}, ${made.createdBy}, ${made.sourceFormat}, ${made.targetFormat}, ${json(made.mappingRules)}::text::jsonb,
      ${json(made.validationRules)}::text::jsonb)
    on conflict (tenant_id, code) where deleted_at is null do nothing
    returning id`;
  return rows.length === 1;
}

/** Adds an immutable version. */
export async function insertVersion(
  tx: Transaction,
  template: { id: string; tenantId: string },
  version: number,
  made: VersionContent & VersionFacts,
): Promise<void> {
  await tx`
    insert into transformation_versions (tenant_id, template_id, version, note, restored_from, sub_templates, created_by,
      source_format, target_format, mapping_rules, validation_rules)
    values (${template.tenantId}, ${template.id}, ${version}, ${made.note}, ${made.restoredFrom},
      ${[...made.subTemplates]}, ${made.createdBy}, ${made.sourceFormat}, ${made.targetFormat},
      ${json(made.mappingRules)}::text::jsonb, ${json(made.validationRules)}::text::jsonb)`;
}

/** What of a head may change; its content changes with its version. */
export type TransformationChanges = Partial<
  Pick<TransformationRow, "name" | "description" | "category" | "isActive" | "version"> & VersionContent
>;

const JSON_COLUMNS = new Set(["mappingRules", "validationRules"]);

/** Overwrites the columns given. */
export async function updateTransformationRow(
  tx: Transaction,
  tenantId: string,
  id: string,
  changes: TransformationChanges,
): Promise<void> {
  const row: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(changes)) {
    const column = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    row[column] = JSON_COLUMNS.has(field) && value !== null ? tx.json(value as never) : value;
  }
  await tx`
    update transformation_templates set ${tx(row as Record<string, never>)}, updated_at = now()
    where tenant_id = ${tenantId} and id = ${id} and deleted_at is null`;
}

/** Deletes softly: its versions stay, because logs tell of them. */
export async function deleteTransformationRow(tx: Transaction, tenantId: string, id: string): Promise<void> {
  await tx`
    update transformation_templates set deleted_at = now(), updated_at = now(), is_active = false
    where tenant_id = ${tenantId} and id = ${id} and deleted_at is null`;
}

/** One version of a template that the tenant sees. */
export async function getVersionRow(
  tx: Transaction,
  tenantId: string,
  templateId: string,
  version: number,
): Promise<VersionRow | undefined> {
  const [row] = await tx<VersionRow[]>`
    select ${versionColumns(tx)} from transformation_versions v
    where v.template_id = ${templateId} and v.version = ${version}
      and (v.tenant_id = ${tenantId} or v.tenant_id is null)`;
  return row;
}

/** Versions of a template that the tenant sees, newest first, below the number `below`. */
export async function listVersionRows(
  tx: Transaction,
  tenantId: string,
  templateId: string,
  page: { limit: number; beforeId: string | undefined },
): Promise<VersionRow[]> {
  return tx<VersionRow[]>`
    select ${versionColumns(tx)} from transformation_versions v
    where v.template_id = ${templateId} and (v.tenant_id = ${tenantId} or v.tenant_id is null)
      ${page.beforeId === undefined ? tx`` : tx`and v.id < ${page.beforeId}`}
    order by v.id desc limit ${page.limit}`;
}

/** A version as the engine loads it. */
export interface LoadedRow extends VersionContent {
  templateId: string;
  tenantId: string | null;
  code: string;
  version: number;
  isActive: boolean;
  pause: PauseState | null;
}

/** Why a version rests, and until when. */
export interface PauseState {
  code: string;
  message: string;
  failures: number;
  pauses: number;
  pausedAt: string;
  pausedUntil: string;
}

/**
 * The version of a template by its code or id, for one tenant: its own template, else the system's.
 *
 * @param version undefined: the newest
 */
export async function findVersion(
  sql: Sql | Transaction,
  tenantId: string,
  name: string,
  version: number | undefined,
): Promise<LoadedRow | undefined> {
  const [row] = await sql<LoadedRow[]>`
    select t.id as "templateId", t.tenant_id as "tenantId", t.code, v.version, t.is_active as "isActive",
      ${content(sql, "v")},
      case when p.template_id is null then null else jsonb_build_object('code', p.code, 'message', p.message,
        'failures', p.failures, 'pauses', p.pauses, 'pausedAt', p.paused_at, 'pausedUntil', p.paused_until) end as pause
    from transformation_templates t
    join transformation_versions v on v.template_id = t.id and v.version = ${version ?? sql`t.version`}
    left join transformation_pauses p
      on p.tenant_id = ${tenantId} and p.template_id = t.id and p.version = v.version
    where (t.tenant_id = ${tenantId} or t.tenant_id is null) and (t.code = ${name} or t.id::text = ${name.toLowerCase()})
      and t.deleted_at is null
    order by t.tenant_id nulls last limit 1`;
  return row;
}

function json(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}
