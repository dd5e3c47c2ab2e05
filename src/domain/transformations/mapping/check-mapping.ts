import { Compiler } from "./compiler.ts";
import type { MappingCheckOptions, MappingFault } from "./mapping-result.ts";
import { compileValidationRules } from "./validation.ts";

/**
 * Judges a template as it is about to be saved: shape, paths, targets, functions and their arguments, patterns, tables,
 * called mappings, JSONata expressions, validation rules. Rules may have any form.
 *
 * @returns every fault with its JSON pointer (into the validation rules where `part` says so); none when it can be saved
 */
export async function checkMapping(
  rules: unknown,
  options: MappingCheckOptions = {},
): Promise<MappingFault[]> {
  const deps = options.resolveMapping === undefined ? {} : { resolveMapping: options.resolveMapping };
  const codes = options.code === undefined ? [] : [options.code];
  const compiler = new Compiler(deps);
  compiler.template(rules, codes);
  const faults = [...compiler.faults];
  if (options.validationRules !== undefined) {
    const validation = compileValidationRules(options.validationRules);
    faults.push(...validation.faults.map((fault) => ({ ...fault, part: "validation" as const })));
  }
  const { checkExpression } = options;
  if (checkExpression === undefined) return faults;
  // One after the other: a save with a hundred expressions must not keep others from saving.
  for (const { expression, pointer } of compiler.expressions) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const check = await checkExpression(expression);
    if (check.ok) continue;
    const where = check.position >= 0 ? ` (at character ${check.position})` : "";
    faults.push({ code: "invalid_expression", message: check.message + where, rule: pointer });
  }
  return faults;
}
