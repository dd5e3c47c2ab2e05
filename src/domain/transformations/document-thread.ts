import { parentPort } from "node:worker_threads";
import { compareDocuments, type Difference } from "./compare-documents.ts";
import { plainFailure } from "./document-fault.ts";
import type {
  Comparison,
  DocumentTasks,
  FromThread,
  TaskKind,
  TestCase,
  ToThread,
} from "./document-tasks.ts";
import { compilePipeline } from "./document-pipeline.ts";
import type { Pipeline } from "./pipeline.ts";
import { judgeTest } from "./judge-test.ts";
import type { Recipe } from "./load-template.ts";
import { coverMapping } from "./mapping/cover-mapping.ts";
import type { MapContext } from "./mapping/mapping-result.ts";
import { suggestMapping } from "./mapping/suggest-mapping.ts";
import { readOutput } from "./read-output.ts";
import { readSource } from "./read-source.ts";
import { readWhole, unreadable } from "./read-whole.ts";
import { subTemplateKey } from "./sub-templates.ts";
import { traceDocument } from "./trace-document.ts";
import type { TransformOutcome } from "./transform-outcome.ts";

/** Compiled recipes by their key. */
const pipelines = new Map<string, Pipeline>();
const PIPELINES_MAX = 200;

/** Places where two outputs differ that a comparison tells. */
const DIFFERENCES_MAX = 20;
const SHOWN_CHARS_MAX = 1_000;

const asked = new Map<number, (outcome: TransformOutcome) => void>();
let lastAsked = 0;

/** Expressions are evaluated in the killable processes of the thread's owner. */
function evaluateJsonata(expression: string, input: string): Promise<TransformOutcome> {
  return new Promise((resolve) => {
    const ask = ++lastAsked;
    asked.set(ask, resolve);
    post({ ask, expression, input });
  });
}

function pipelineOf(recipe: Recipe): Pipeline {
  const known = recipe.key === undefined ? undefined : pipelines.get(recipe.key);
  if (known !== undefined) return known;
  const pipeline = compilePipeline(recipe, { evaluateJsonata });
  if (recipe.key !== undefined) {
    if (pipelines.size >= PIPELINES_MAX) pipelines.clear();
    pipelines.set(recipe.key, pipeline);
  }
  return pipeline;
}

type Handlers = {
  [K in TaskKind]: (
    input: DocumentTasks[K]["input"],
  ) => Promise<DocumentTasks[K]["output"]> | DocumentTasks[K]["output"];
};

const handlers: Handlers = {
  transform: ({ recipe, source, context }) => pipelineOf(recipe).transform(source, context),
  trace: ({ recipe, source, context }) => traceDocument(recipe, { evaluateJsonata }, source, context),
  async test({ recipe, tests, context }) {
    const pipeline = pipelineOf(recipe);
    const results = [];
    for (const test of tests) {
      // oxlint-disable-next-line no-await-in-loop -- one document at a time is what a thread does
      results.push(await runTest(pipeline, recipe, test, context));
    }
    return results;
  },
  cover({ recipe, source, target, targetSchema }) {
    const from = source === undefined ? undefined : readWhole(recipe, { bytes: source });
    if (from?.ok === false) return from;
    const to = target === undefined ? undefined : readOutput(recipe, target);
    if (to?.ok === false) return plainFailure("document_invalid", `The target: ${to.message}`, false);
    return coverMapping(recipe.mappingRules, {
      sourceSample: from?.documents[0]?.document,
      targetSample: to?.document,
      ...(targetSchema === undefined ? {} : { targetSchema }),
      resolveMapping: (code, version) => recipe.subMappings[subTemplateKey(code, version)],
    });
  },
  suggest({ sourceFormat, source, targetFormat, target }) {
    const [from, to] = [readSource(sourceFormat, source), readSource(targetFormat, target)];
    if (!from.ok) return unreadable(from.faults);
    if (!to.ok) return unreadable(to.faults);
    return suggestMapping(from.documents[0]!.document, to.documents[0]!.document);
  },
  compare,
};

async function runTest(
  pipeline: Pipeline,
  recipe: Recipe,
  test: TestCase,
  context: MapContext,
): Promise<{ passed: boolean; message: string | null }> {
  const outcome = await pipeline.transform({ bytes: test.input }, context);
  return judgeTest(recipe, test, outcome);
}

async function compare(input: DocumentTasks["compare"]["input"]): Promise<Comparison> {
  const { before, after, source, context } = input;
  const first = await pipelineOf(before).transform(source, context);
  const second = await pipelineOf(after).transform(source, context);
  if (!first.ok || !second.ok) return { before: first, after: second, differences: [] };
  const [one, other] = [readOutput(before, first.bytes), readOutput(after, second.bytes)];
  const differences =
    one.ok && other.ok
      ? compareDocuments(one.document, other.document, DIFFERENCES_MAX)
      : byteDifference(first.bytes, second.bytes);
  return { before: first, after: second, differences: differences.map(shown) };
}

/** For outputs that are too long to be read as a whole. */
function byteDifference(before: Uint8Array, after: Uint8Array): Difference[] {
  if (Buffer.from(before).equals(after)) return [];
  return [{ pointer: "", before: `${before.byteLength} bytes`, after: `${after.byteLength} bytes` }];
}

/** Values as JSON shows them, cut where they are long. */
function shown({ pointer, before, after }: Difference): Difference {
  return { pointer, before: shownValue(before), after: shownValue(after) };
}

function shownValue(value: unknown): unknown {
  const text = JSON.stringify(value);
  if (text === undefined) return undefined;
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : (JSON.parse(text) as unknown);
}

async function handle(task: Extract<ToThread, { taskId: number }>): Promise<void> {
  const { taskId, kind, input } = task;
  try {
    const output = await handlers[kind](input as never);
    post({ taskId, output }, ownMemory(output));
  } catch (error) {
    post({ taskId, failure: error instanceof Error ? `${error.message}\n${error.stack}` : String(error) });
  }
}

/** Memory of a written document that moves to the owner instead of being copied. */
function ownMemory(output: unknown): ArrayBuffer[] {
  const { bytes } = output as { bytes?: unknown };
  if (!(bytes instanceof Uint8Array) || bytes.byteLength < bytes.buffer.byteLength) return [];
  return [bytes.buffer as ArrayBuffer];
}

function post(message: FromThread, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

parentPort?.on("message", (message: ToThread) => {
  if ("taskId" in message) return void handle(message);
  asked.get(message.answerTo)?.(message.outcome);
  asked.delete(message.answerTo);
});
