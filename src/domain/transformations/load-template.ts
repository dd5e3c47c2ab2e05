import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import type { MappingRules, ValidationRules } from "./mapping/rules.ts";
import { VERSION_MAX } from "./schema.ts";
import { findVersion, type LoadedRow, type VersionContent } from "./store.ts";
import { type SubTemplate, subTemplateKey, subTemplatesOf } from "./sub-templates.ts";

/** Rules of the templates that a mapping calls, by `subTemplateKey`; what does not exist is missing. */
export type SubMappings = Readonly<Record<string, MappingRules>>;

/** A version with all that its rules call. */
export interface LoadedTemplate extends LoadedRow {
  subMappings: SubMappings;
}

/** All that decides what comes out of a document; plain data, so that a thread can be given it. */
export interface Recipe extends VersionContent {
  /** Under which the compiled form is kept; undefined: used once. */
  key: string | undefined;
  subMappings: SubMappings;
}

/** The recipe of a content. */
export function recipeOf(content: VersionContent, subMappings: SubMappings, key?: string): Recipe {
  const { sourceFormat, targetFormat, mappingRules, validationRules } = content;
  return { sourceFormat, targetFormat, mappingRules, validationRules, subMappings, key };
}

/** Templates that one mapping may call, those of the called ones included. */
const SUB_TEMPLATES_MAX = 50;

/** Reads a version by the template's code or id; undefined when there is none. `version` undefined: the newest. */
export async function loadTemplate(
  sql: Sql | Transaction,
  tenantId: string,
  name: string,
  version: number | undefined,
): Promise<LoadedTemplate | undefined> {
  const row = await findVersion(sql, tenantId, name, version);
  if (row === undefined) return undefined;
  return { ...row, subMappings: await loadSubMappings(sql, tenantId, row.mappingRules, row.validationRules) };
}

/** Reads the rules that a mapping calls, and those that these call, round by round. */
export async function loadSubMappings(
  sql: Sql | Transaction,
  tenantId: string,
  rules: MappingRules,
  validation: ValidationRules | null,
): Promise<SubMappings> {
  const found: Record<string, MappingRules> = Object.create(null) as Record<string, MappingRules>;
  const asked = new Set<string>();
  let wanted: SubTemplate[] = subTemplatesOf(rules, validation);
  while (wanted.length > 0 && asked.size < SUB_TEMPLATES_MAX) {
    const next = wanted.filter(({ code, version }) => !asked.has(subTemplateKey(code, version)));
    wanted = [];
    for (const { code, version } of next) {
      const key = subTemplateKey(code, version);
      asked.add(key);
      if (version !== "latest" && !(Number.isInteger(version) && version <= VERSION_MAX)) continue;
      // oxlint-disable-next-line no-await-in-loop -- what one calls is known when it was read
      const row = await findVersion(sql, tenantId, code, version === "latest" ? undefined : version);
      if (row === undefined) continue;
      found[key] = row.mappingRules;
      wanted.push(...subTemplatesOf(row.mappingRules, null));
    }
  }
  return found;
}
