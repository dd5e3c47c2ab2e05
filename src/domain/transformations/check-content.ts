import { type Context, requireScope, withTenant } from "../context.ts";
import type { FieldError } from "../errors.ts";
import { settingsFaults } from "./format-settings.ts";
import { loadSubMappings, type SubMappings } from "./load-template.ts";
import { templatePointer } from "./document-fault.ts";
import { checkMapping } from "./mapping/check-mapping.ts";
import type { MappingRules, ValidationRules } from "./mapping/rules.ts";
import { jsonataPoolOf } from "./runtime-pool.ts";
import type { VersionContent } from "./store.ts";
import { subTemplateKey, subTemplatesOf } from "./sub-templates.ts";
import type { ContentInput } from "./transformation-schema.ts";

/** A content that works, with what its rules call. */
export interface CheckedContent {
  content: VersionContent;
  subMappings: SubMappings;
  /** Codes of the templates that its rules call. */
  subTemplates: string[];
}

/** One fault of a content. */
export interface ContentFault extends FieldError {
  code: string;
}

/**
 * Judges a mapping as a whole: rules, validation, settings of the formats, called templates, JSONata expressions.
 *
 * @param code of the template, so that a call that leads back to it is found
 * @returns every fault at once, by JSON pointer into the body, or the content
 * @throws HubError 403 `forbidden`
 */
export async function checkContent(
  ctx: Context,
  input: ContentInput,
  code?: string,
): Promise<{ ok: true; checked: CheckedContent } | { ok: false; faults: ContentFault[] }> {
  // Who may save one may have it judged.
  if (!ctx.actor.scopes.has("transformations:write")) requireScope(ctx, "transformations:read");
  // Rules of an unknown form: every member is looked at before it is used, and checkMapping refuses what is none.
  const content = {
    sourceFormat: input.sourceFormat,
    targetFormat: input.targetFormat,
    mappingRules: input.mappingRules as MappingRules,
    validationRules: (input.validationRules ?? null) as ValidationRules | null,
  };
  const { mappingRules, validationRules } = content;
  const subMappings = await withTenant(ctx, (tx) =>
    loadSubMappings(tx, ctx.tenantId, mappingRules, validationRules),
  );
  const pool = jsonataPoolOf(ctx.runtime);
  const faults = await checkMapping(mappingRules, {
    resolveMapping: (called, version) => subMappings[subTemplateKey(called, version)],
    checkExpression: (expression) => pool.checkExpression(expression),
    ...(code === undefined ? {} : { code }),
    ...(validationRules === null ? {} : { validationRules }),
  });
  const errors = [
    ...faults.map((fault) => ({ code: fault.code, path: templatePointer(fault), message: fault.message })),
    ...settingsFaults(content).map((fault) => ({ code: "invalid_setting", ...fault })),
  ];
  if (errors.length > 0) return { ok: false, faults: errors };
  const subTemplates = [
    ...new Set(subTemplatesOf(mappingRules, validationRules).map(({ code: called }) => called)),
  ];
  return { ok: true, checked: { content, subMappings, subTemplates } };
}
