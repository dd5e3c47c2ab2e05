import type { Difference } from "./compare-documents.ts";
import type { DocumentFailure, DocumentOutcome } from "./document-fault.ts";
import type { Recipe } from "./load-template.ts";
import type { Coverage } from "./mapping/cover-mapping.ts";
import type { MapContext, RuleTrace } from "./mapping/mapping-result.ts";
import type { Suggestion } from "./mapping/suggest-mapping.ts";
import type { DocumentFormat } from "./transformation-schema.ts";
import type { TransformOutcome } from "./transform-outcome.ts";

/** A source document, and what its carrier says of it. */
export interface SourceDocument {
  bytes: Uint8Array;
  /** Charset of the content type; the settings' own wins. */
  charset?: string | undefined;
}

/** A test case of a template. */
export interface TestCase {
  input: Uint8Array;
  expected: Uint8Array | null;
  expectedCode: string | null;
}

/** What one run of two versions over the same document came to. */
export interface Comparison {
  before: DocumentOutcome;
  after: DocumentOutcome;
  differences: Difference[];
}

/** What the preview shows of one document. */
export interface Trace {
  outcome: DocumentOutcome;
  rules: RuleTrace[];
  readMicros: number;
  mapMicros: number;
  writeMicros: number;
}

/** What a thread does, by kind: what it is given and what it answers. */
export interface DocumentTasks {
  transform: {
    input: { recipe: Recipe; source: SourceDocument; context: MapContext };
    output: DocumentOutcome;
  };
  trace: { input: { recipe: Recipe; source: SourceDocument; context: MapContext }; output: Trace };
  test: {
    input: { recipe: Recipe; tests: TestCase[]; context: MapContext };
    output: { passed: boolean; message: string | null }[];
  };
  cover: {
    input: {
      recipe: Recipe;
      source: Uint8Array | undefined;
      target: Uint8Array | undefined;
      targetSchema: Readonly<Record<string, unknown>> | undefined;
    };
    output: Coverage | DocumentFailure;
  };
  suggest: {
    input: {
      sourceFormat: DocumentFormat;
      source: Uint8Array;
      targetFormat: DocumentFormat;
      target: Uint8Array;
    };
    output: Suggestion | DocumentFailure;
  };
  compare: {
    input: { before: Recipe; after: Recipe; source: SourceDocument; context: MapContext };
    output: Comparison;
  };
}

export type TaskKind = keyof DocumentTasks;

/** To the thread: a task, or the answer to an expression that it asked for. */
export type ToThread =
  | { [K in TaskKind]: { taskId: number; kind: K; input: DocumentTasks[K]["input"] } }[TaskKind]
  | { answerTo: number; outcome: TransformOutcome };

/** From the thread: a result, a fault of ours, or an expression that only the killable processes may evaluate. */
export type FromThread =
  | { taskId: number; output: unknown }
  | { taskId: number; failure: string }
  | { ask: number; expression: string; input: string };
