import type { FieldError } from "../errors.ts";
import type { JsonataPool } from "./jsonata-pool.ts";
import { resolveTemplate } from "./resolve-template.ts";
import type { TransformTemplate } from "./schema.ts";

/**
 * Checks a template when an endpoint or a subscription is saved: it must name something, and its expression must
 * compile.
 *
 * @param at JSON pointer of the template in the request body
 * @returns the faults; none when it can be saved
 */
export async function checkTemplate(
  pool: JsonataPool,
  template: TransformTemplate,
  at = "/transformTemplate",
): Promise<FieldError[]> {
  const resolved = resolveTemplate(template);
  if (!resolved.ok) return [{ path: at + resolved.path, message: `${resolved.code}: ${resolved.message}` }];
  const check = await pool.checkExpression(resolved.expression);
  if (check.ok) return [];
  const where = check.position >= 0 ? ` (at character ${check.position})` : "";
  return [{ path: `${at}/expression`, message: check.message + where }];
}
