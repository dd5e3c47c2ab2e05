import { compileMapping, MappingRulesError } from "./mapping/compile-mapping.ts";
import { compileValidation } from "./mapping/validation.ts";
import type {
  CompiledMapping,
  CompiledValidation,
  MapContext,
  MappingDeps,
  MappingFault,
  MapResult,
} from "./mapping/mapping-result.ts";
import {
  type DocumentFailure,
  type DocumentFailureCode,
  documentFailure,
  type DocumentOutcome,
  templatePointer,
  withPlace,
} from "./document-fault.ts";
import type { SourceDocument } from "./document-tasks.ts";
import type { Recipe } from "./load-template.ts";
import type { MappedOutcome, Pipeline, PipelineDeps } from "./pipeline.ts";
import type { ReadDocument } from "./read-source.ts";
import { readWhole } from "./read-whole.ts";
import { subTemplateKey } from "./sub-templates.ts";
import { transformRecords } from "./transform-records.ts";
import { writeTarget } from "./write-target.ts";

/**
 * Compiles a version. One that does not compile any more, because a template that it calls is gone, refuses every
 * document with what is wrong with it.
 */
export function compilePipeline(recipe: Recipe, deps: PipelineDeps): Pipeline {
  try {
    return new DocumentPipeline(recipe, compileMapping(recipe.mappingRules, mappingDeps(recipe, deps)));
  } catch (error) {
    if (!(error instanceof MappingRulesError)) throw error;
    const { faults } = error;
    return new DocumentPipeline(
      { ...recipe, validationRules: null },
      { recordPath: undefined, run: () => ({ ok: false, faults: [...faults], retryable: false }) },
    );
  }
}

/** What the engine asks of a recipe's surroundings. */
export function mappingDeps(recipe: Recipe, deps: PipelineDeps): MappingDeps {
  return {
    evaluateJsonata: deps.evaluateJsonata,
    resolveMapping: (code, version) => recipe.subMappings[subTemplateKey(code, version)],
  };
}

/** A version whose mapping is compiled already. */
export class DocumentPipeline implements Pipeline {
  readonly recipe: Recipe;
  readonly #mapping: CompiledMapping;
  readonly #validation: CompiledValidation | undefined;

  constructor(recipe: Recipe, mapping: CompiledMapping) {
    this.recipe = recipe;
    this.#mapping = mapping;
    this.#validation =
      recipe.validationRules === null ? undefined : compileValidation(recipe.validationRules);
  }

  transform(source: SourceDocument, context: MapContext): DocumentOutcome | Promise<DocumentOutcome> {
    if (this.recipe.mappingRules.recordPath !== undefined) return transformRecords(this, source, context);
    const mapped = this.mapSource(source, context);
    const write = (one: MappedOutcome): DocumentOutcome => (one.ok ? this.write(one.document, context) : one);
    return mapped instanceof Promise ? mapped.then(write) : write(mapped);
  }

  mapSource(source: SourceDocument, context: MapContext): MappedOutcome | Promise<MappedOutcome> {
    const read = readWhole(this.recipe, source);
    if (!read.ok) return read;
    return this.mapAll(read.documents, context);
  }

  /** The documents of one source; several transaction sets become a list. */
  mapAll(documents: readonly ReadDocument[], context: MapContext): MappedOutcome | Promise<MappedOutcome> {
    return documents.length === 1 ? this.map(documents[0]!, context) : this.#mapSeveral(documents, context);
  }

  write(document: unknown, { nowMs }: MapContext): DocumentOutcome {
    const { targetFormat, mappingRules } = this.recipe;
    return writeTarget(targetFormat, document, mappingRules.target, nowMs);
  }

  map(read: ReadDocument, context: MapContext): MappedOutcome | Promise<MappedOutcome> {
    const refused = this.#validation?.checkInput(read.document, context) ?? [];
    if (refused.length > 0) return failed("input_refused", refused, read);
    const result = this.#mapping.run(read.document, context);
    return result instanceof Promise
      ? result.then((one) => this.#judge(one, read, context))
      : this.#judge(result, read, context);
  }

  async #mapSeveral(documents: readonly ReadDocument[], context: MapContext): Promise<MappedOutcome> {
    const { targetFormat } = this.recipe;
    if (targetFormat !== "JSON" && targetFormat !== "CSV") {
      const message = `The document has ${documents.length} transaction sets, and ${targetFormat} holds one`;
      return documentFailure("output_unwritable", [{ code: "several_documents", message }]);
    }
    const outputs: unknown[] = [];
    for (const one of documents) {
      // oxlint-disable-next-line no-await-in-loop -- in their order
      const mapped = await this.map(one, context);
      if (!mapped.ok) return mapped;
      outputs.push(mapped.document);
    }
    return { ok: true, document: targetFormat === "CSV" ? outputs.flat() : outputs };
  }

  #judge(result: MapResult, read: ReadDocument, context: MapContext): MappedOutcome {
    if (!result.ok)
      return failed(mapCode(result.faults, result.retryable), result.faults, read, result.retryable);
    const refused = this.#validation?.checkOutput(result.document, context) ?? [];
    return refused.length > 0 ? failed("output_refused", refused, read) : result;
  }
}

/** How the pool of the killable processes says what hindered it. */
const POOL_CODE = /^(transform_(?:timeout|busy|paused)): /;

function mapCode([first]: readonly MappingFault[], retryable: boolean): DocumentFailureCode {
  switch (first?.code) {
    case "deadline_exceeded":
      return "transform_timeout";
    case "output_too_large":
    case "output_too_deep":
    case "too_many_values":
      return "transform_output_too_large";
    default: {
      const hindered = retryable ? POOL_CODE.exec(first?.message ?? "")?.[1] : undefined;
      return (hindered as DocumentFailureCode | undefined) ?? "mapping_failed";
    }
  }
}

function failed(
  code: DocumentFailureCode,
  faults: readonly MappingFault[],
  read: ReadDocument,
  retryable = false,
): DocumentFailure {
  const placed = faults.map((fault) => {
    const { part: _side, ...told } = { ...fault, rule: templatePointer(fault) };
    return withPlace(told, fault.source === undefined ? undefined : read.place(fault.source));
  });
  return documentFailure(code, placed, retryable);
}
