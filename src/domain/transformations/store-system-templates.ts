import { isDeepStrictEqual } from "node:util";
import postgres, { type Sql } from "postgres";
import type { Transaction } from "../context.ts";
import type { VersionContent } from "./store.ts";
import { SYSTEM_TEMPLATES, type SystemTemplate } from "./system-templates.ts";

/** Namespace of the templates' ids (RFC 9562 section 5.5), chosen once at random. */
const NAMESPACE = "5b0e4a57-3d0b-4c53-9a77-0f6de0a8b1c4";

interface StoredHead extends VersionContent {
  id: string;
  name: string;
  description: string | null;
  category: string | null;
  version: number;
}

/** The id of a system template: the same in every deployment. */
export function systemTemplateId(code: string): string {
  return Bun.randomUUIDv5(code, NAMESPACE);
}

/**
 * Stores the hub's own templates. What is stored already stays; changed content becomes the next version, so that whoever
 * pinned an older one keeps it. Idempotent; several processes may do it at once. Runs wherever the schema is brought up to
 * date.
 *
 * @param sql as role hub_system
 * @returns how many were new or changed
 */
export async function storeSystemTemplates(sql: Sql): Promise<number> {
  return sql.begin(async (tx) => {
    // One process at a time, until the commit.
    await tx`select pg_advisory_xact_lock(hashtext('hub_system_templates'))`;
    const heads = await tx<StoredHead[]>`
      select id, name, description, category, version, source_format as "sourceFormat", target_format as "targetFormat",
        mapping_rules as "mappingRules", validation_rules as "validationRules"
      from transformation_templates where tenant_id is null and deleted_at is null`;
    const stored = new Map(heads.map((head) => [head.id, head]));
    let changed = 0;
    for (const template of SYSTEM_TEMPLATES) {
      // oxlint-disable-next-line no-await-in-loop -- one connection
      if (await storeOne(tx, template, stored.get(systemTemplateId(template.code)))) changed++;
    }
    return changed;
  });
}

/**
 * Does the same where no process of the hub runs yet.
 *
 * @param systemUrl login of hub_system
 */
export async function storeSystemTemplatesAt(systemUrl: string): Promise<number> {
  const sql = postgres(systemUrl, { max: 1, connect_timeout: 10, onnotice: () => undefined });
  try {
    return await storeSystemTemplates(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** @returns false when it stands as it is */
async function storeOne(
  tx: Transaction,
  template: SystemTemplate,
  head: StoredHead | undefined,
): Promise<boolean> {
  const { name, description, category } = template;
  const isSame = head !== undefined && isDeepStrictEqual(contentOf(head), contentOf(template));
  const labels = { name, description, category };
  const isTitled =
    head !== undefined &&
    isDeepStrictEqual({ name: head.name, description: head.description, category: head.category }, labels);
  if (isSame && isTitled) return false;
  const version = head === undefined ? 1 : head.version + (isSame ? 0 : 1);
  const id = systemTemplateId(template.code);
  const { sourceFormat, targetFormat } = template;
  const rules = JSON.stringify(template.mappingRules);
  const validation = template.validationRules === null ? null : JSON.stringify(template.validationRules);
  await tx`
    insert into transformation_templates (id, tenant_id, code, name, description, category, is_system, source_format,
      target_format, mapping_rules, validation_rules, version)
    values (${id}, null, ${template.code}, ${name}, ${description}, ${category}, true, ${sourceFormat}, ${targetFormat},
      ${rules}::text::jsonb, ${validation}::text::jsonb, ${version})
    on conflict (id) do update set name = excluded.name, description = excluded.description,
      category = excluded.category, source_format = excluded.source_format, target_format = excluded.target_format,
      mapping_rules = excluded.mapping_rules, validation_rules = excluded.validation_rules, version = excluded.version,
      updated_at = now()`;
  if (!isSame) {
    await tx`
      insert into transformation_versions (tenant_id, template_id, version, source_format, target_format, mapping_rules,
        validation_rules)
      values (null, ${id}, ${version}, ${sourceFormat}, ${targetFormat}, ${rules}::text::jsonb,
        ${validation}::text::jsonb)`;
  }
  return true;
}

function contentOf({ sourceFormat, targetFormat, mappingRules, validationRules }: VersionContent): unknown {
  return { sourceFormat, targetFormat, mappingRules, validationRules };
}
