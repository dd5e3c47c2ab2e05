import { DocumentPipeline, mappingDeps } from "./document-pipeline.ts";
import type { DocumentOutcome } from "./document-fault.ts";
import type { SourceDocument, Trace } from "./document-tasks.ts";
import type { Recipe } from "./load-template.ts";
import { compileTracedMapping } from "./mapping/compile-mapping.ts";
import type { MapContext, RuleTrace } from "./mapping/mapping-result.ts";
import type { MappedOutcome, PipelineDeps } from "./pipeline.ts";
import { readWhole } from "./read-whole.ts";

/** Characters of a value that a preview shows. */
const VALUE_CHARS_MAX = 2_000;

/**
 * Makes of one document what a recipe says, and tells what each rule did and how long each step took. A document that is
 * read record by record is timed as a whole.
 *
 * @throws MappingRulesError for rules that `checkMapping` refuses
 */
export async function traceDocument(
  recipe: Recipe,
  deps: PipelineDeps,
  source: SourceDocument,
  context: MapContext,
): Promise<Trace> {
  const { mapping, traces } = compileTracedMapping(recipe.mappingRules, mappingDeps(recipe, deps));
  const pipeline = new DocumentPipeline(recipe, mapping);
  const timing = { readMicros: 0, mapMicros: 0, writeMicros: 0 };
  const timed = async <T>(step: keyof typeof timing, work: () => T | Promise<T>): Promise<T> => {
    const startedMs = performance.now();
    const result = await work();
    timing[step] = Math.round((performance.now() - startedMs) * 1_000);
    return result;
  };
  const outcome = await run();
  return { outcome, rules: [...traces.values()].map(shownTrace), ...timing };

  async function run(): Promise<DocumentOutcome> {
    if (recipe.mappingRules.recordPath !== undefined)
      return timed("mapMicros", () => pipeline.transform(source, context));
    const read = await timed("readMicros", () => readWhole(recipe, source));
    if (!read.ok) return read;
    const mapped = await timed<MappedOutcome>("mapMicros", () => pipeline.mapAll(read.documents, context));
    return mapped.ok ? timed("writeMicros", () => pipeline.write(mapped.document, context)) : mapped;
  }
}

/** Values as JSON shows them, cut where they are long. */
function shownTrace(trace: RuleTrace): RuleTrace {
  const values = trace.values.map((one) => ({ ...one, value: shownValue(one.value) }));
  return { ...trace, rule: `/mappingRules${trace.rule}`, values };
}

function shownValue(value: unknown): unknown {
  const text = JSON.stringify(value) ?? "null";
  return text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : (JSON.parse(text) as unknown);
}
