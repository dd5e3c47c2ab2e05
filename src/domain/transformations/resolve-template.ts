import type { TransformTemplate } from "./schema.ts";

/** The expression to evaluate, or why there is none. `path` is a JSON pointer into the template. */
export type ResolvedTemplate =
  | { ok: true; expression: string }
  | { ok: false; code: "transformation_not_found"; path: string; message: string };

/**
 * Finds the expression of a template. A template that names a stored transformation is refused when this tenant has
 * none of that name and version.
 */
export function resolveTemplate(template: TransformTemplate): ResolvedTemplate {
  if ("expression" in template) return { ok: true, expression: template.expression };
  return {
    ok: false,
    code: "transformation_not_found",
    path: "/template",
    message: `There is no transformation "${template.template}" with version ${template.version}`,
  };
}
