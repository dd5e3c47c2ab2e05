import { type Context, requireScope, withTenant } from "../context.ts";
import { type FieldError, invalidInput } from "../errors.ts";
import { checkContent } from "./check-content.ts";
import { loadTemplate, type SubMappings } from "./load-template.ts";
import type { VersionContent } from "./store.ts";
import type { ContentInput } from "./transformation-schema.ts";

/** A version by its template's name, or a content that is not stored. */
export interface VersionInput extends Partial<ContentInput> {
  template?: string;
  version?: number | "latest";
}

/** A content that works, with what its rules call. */
export interface NamedVersion {
  content: VersionContent;
  subMappings: SubMappings;
}

const CONTENT_FIELDS = ["sourceFormat", "targetFormat", "mappingRules"] as const;

/**
 * The version that a request names, or carries.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` when it is neither, does not exist, or its rules have faults
 */
export async function namedVersion(ctx: Context, input: VersionInput): Promise<NamedVersion> {
  requireScope(ctx, "transformations:read");
  const given = [...CONTENT_FIELDS, "validationRules" as const].filter((field) => input[field] !== undefined);
  const { template, version } = input;
  if (template === undefined) return inlineVersion(ctx, input);
  if (given.length > 0)
    throw invalidInput(
      given.map((field) => ({ path: `/${field}`, message: "cannot stand beside template" })),
    );
  const number = version === "latest" ? undefined : version;
  const loaded = await withTenant(ctx, (tx) => loadTemplate(tx, ctx.tenantId, template, number));
  if (loaded === undefined)
    throw invalidInput([{ path: "/template", message: "there is no such template or version" }]);
  return { content: loaded, subMappings: loaded.subMappings };
}

async function inlineVersion(ctx: Context, input: VersionInput): Promise<NamedVersion> {
  const missing: FieldError[] = CONTENT_FIELDS.filter((field) => input[field] === undefined).map((field) => ({
    path: `/${field}`,
    message: "is needed without template",
  }));
  if (missing.length > 0) throw invalidInput(missing);
  const judged = await checkContent(ctx, input as ContentInput);
  if (!judged.ok) throw invalidInput(judged.faults, "The mapping is not valid.");
  return judged.checked;
}
