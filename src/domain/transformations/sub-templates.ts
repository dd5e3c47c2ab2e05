import type { MappingRules, ValidationRules } from "./mapping/rules.ts";

/** A template that rules call. */
export interface SubTemplate {
  code: string;
  version: number | "latest";
}

/** Members of an expression that hold data instead of expressions. */
const DATA = new Set(["value", "table", "tables", "note", "source"]);

/** The templates that rules call by `{ mapping }`, each once. Takes rules of any form: they may not be checked yet. */
export function subTemplatesOf(rules: MappingRules, validation: ValidationRules | null): SubTemplate[] {
  const found = new Map<string, SubTemplate>();
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== "object" || node === null) return;
    const { mapping, version } = node as { mapping?: unknown; version?: unknown };
    if (typeof mapping === "string") {
      const called: SubTemplate = {
        code: mapping,
        version: typeof version === "number" ? version : "latest",
      };
      found.set(subTemplateKey(called.code, called.version), called);
    }
    for (const [name, member] of Object.entries(node)) if (!DATA.has(name)) visit(member);
  };
  visit(rules.rules);
  visit(validation?.rules);
  return [...found.values()];
}

/** Name under which a called template's rules are kept. */
export function subTemplateKey(code: string, version: number | "latest"): string {
  return `${code}@${version}`;
}
