import type { TransformOutcome } from "../transform-outcome.ts";
import type { MappingRules, ValidationRules } from "./rules.ts";

/** One fault, of a template (`checkMapping`) or of a document that it was applied to. */
export interface MappingFault {
  code: MappingFaultCode;
  message: string;
  /** JSON pointer into the mapping rules; where `part` is set, into the validation rules. */
  rule: string;
  part?: "validation";
  /** JSON pointer into the input. */
  source?: string;
  /** JSON pointer into the output. */
  target?: string;
}

export type MappingFaultCode =
  // of a template
  | "invalid_rule"
  | "invalid_path"
  | "invalid_target"
  | "target_conflict"
  | "unknown_function"
  | "wrong_argument_count"
  | "invalid_argument"
  | "invalid_pattern"
  | "unknown_table"
  | "invalid_table"
  | "unknown_mapping"
  | "mapping_cycle"
  | "invalid_expression"
  | "outside_record"
  | "too_large"
  | "invalid_schema"
  // of a document
  | "required_missing"
  | "wrong_type"
  | "not_single"
  | "unknown_value"
  | "invalid_value"
  | "expression_failed"
  | "schema_mismatch"
  | "rule_violated"
  // of either: limits
  | "output_too_large"
  | "output_too_deep"
  | "too_many_values"
  | "deadline_exceeded";

/** Faults of the limits end a document at once; of the others at most `FAULTS_MAX` are told. */
export const FAULTS_MAX = 100;

export type MapResult =
  | { ok: true; document: unknown }
  /** `retryable`: the same document may pass later (a deadline, a busy or paused JSONata process). */
  | { ok: false; faults: MappingFault[]; retryable: boolean };

/** What a run may know besides the document; `$context` in paths. */
export interface MapContext {
  /** Time of `now()`, milliseconds since 1970; the system's clock when left out. */
  nowMs?: number;
  /** Record mode: number of the record from 0, for `$index` and faults. */
  recordIndex?: number;
  /** Members of `$context`, for example the receipt's id or headers. */
  values?: Readonly<Record<string, unknown>>;
}

export interface MapLimits {
  /** Characters of all texts and names of the output, about its bytes as JSON. */
  outputChars: number;
  /** Values of the output: objects, lists, texts, numbers. */
  outputValues: number;
  outputDepth: number;
  /** Time of the rules; JSONata has the deadline of its pool. */
  deadlineMs: number;
}

/** An output may be larger than its input, and a document has at most 1 MiB. */
export const MAP_LIMITS: MapLimits = {
  outputChars: 4 * 1024 * 1024,
  outputValues: 500_000,
  outputDepth: 64,
  deadlineMs: 1_000,
};

/** What the engine needs from outside. It reads nothing itself. */
export interface MappingDeps {
  /** Rules of another template of the same owner (or of the system); undefined when there is none. */
  resolveMapping?: (code: string, version: number | "latest") => MappingRules | undefined;
  /** Evaluates an expression in the killable processes; `input` is JSON text. */
  evaluateJsonata?: (expression: string, input: string) => Promise<TransformOutcome>;
  limits?: Partial<MapLimits>;
}

export interface CompiledMapping {
  /** A promise only where a JSONata expression has to be waited for. Never throws for a document. */
  run(document: unknown, context?: MapContext): MapResult | Promise<MapResult>;
  /** The rules' `recordPath`: then `run` takes one record. */
  readonly recordPath: string | undefined;
}

export interface CompiledValidation {
  /** The faults of a document before its mapping; none when it may go on. */
  checkInput(document: unknown, context?: MapContext): MappingFault[];
  /** The same for the output. */
  checkOutput(document: unknown, context?: MapContext): MappingFault[];
}

export interface MappingCheckOptions {
  resolveMapping?: MappingDeps["resolveMapping"];
  /** Code of the template that is checked, so that a mapping that leads back to it is a cycle. */
  code?: string;
  /** Checks a JSONata expression without evaluating it (`JsonataPool.checkExpression`). */
  checkExpression?: (
    expression: string,
  ) => Promise<{ ok: true } | { ok: false; message: string; position: number }>;
  validationRules?: ValidationRules;
}

/** What one rule did, for the preview. A rule inside lists runs several times: the first values are kept. */
export interface RuleTrace {
  /** JSON pointer of the rule. */
  rule: string;
  runs: number;
  /** Time of all runs, inner rules included, microseconds. */
  micros: number;
  values: { source?: string; target: string; value: unknown }[];
}
