import type { X12MappingInput } from "../../platform/x12/parse-x12-document.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { createFastCounter, type FastCounter } from "../../platform/metrics.ts";
import { type DocumentFailure, type DocumentOutcome, plainFailure } from "./document-fault.ts";
import type { MappedOutcome } from "./pipeline.ts";
import type { SourceDocument } from "./document-tasks.ts";
import { documentThreadsOf, ThreadFailure } from "./document-threads.ts";
import type { MapContext } from "./mapping/mapping-result.ts";
import { pauseTemplate, resumeTemplate } from "./pause-template.ts";
import { DOCUMENT_BYTES_MAX, x12Document } from "./read-source.ts";
import type { ReadyTemplate } from "./template-cache.ts";
import { admit, book } from "./template-health.ts";

/**
 * From this size a document is read, mapped and written in a thread: it would hold up what else the process does. The
 * edge answers senders within milliseconds.
 */
const THREAD_BYTES_MIN = { edge: 16 * 1024, others: 256 * 1024 };

/** Time for a document that is read as a whole, and for each further megabyte of one that is read record by record. */
const DEADLINE_MS = 5_000;
const DEADLINE_PER_BYTE_MS = 2_000 / DOCUMENT_BYTES_MAX;

/** A document that waits for its template asks again at least and at most so often: somebody may have resumed it. */
const RETRY_AFTER_MS = { min: 1_000, max: 10_000 };

const OUTCOMES = ["passed", "failed", "paused"] as const;
const counters = new WeakMap<Runtime, FastCounter<(typeof OUTCOMES)[number]>>();

function counterOf(runtime: Runtime): FastCounter<(typeof OUTCOMES)[number]> {
  let counter = counters.get(runtime);
  if (counter === undefined) {
    counter = createFastCounter(runtime.metrics, {
      name: "hub_transformations_total",
      help: "Documents given to templates by what came of them",
      label: "outcome",
      values: OUTCOMES,
    });
    counters.set(runtime, counter);
  }
  return counter;
}

/**
 * Makes of a document what a template says: bytes in, bytes out. Never rejects for a document; an unfit one, a template
 * that is off or rests, and one that takes too long are failures with their places.
 *
 * @returns at once for a small document without expressions
 */
export function transformDocument(
  runtime: Runtime,
  template: ReadyTemplate,
  source: SourceDocument,
  context: MapContext = {},
): DocumentOutcome | Promise<DocumentOutcome> {
  return guarded(runtime, template, () =>
    source.bytes.byteLength >= THREAD_BYTES_MIN[runtime.name === "edge" ? "edge" : "others"]
      ? inThread(runtime, template, source, context)
      : template.pipeline.transform(source, context),
  );
}

/** The same for a document that was read already, such as a transaction set of an interchange. */
export function transformValue(
  runtime: Runtime,
  template: ReadyTemplate,
  document: unknown,
  context: MapContext = {},
): DocumentOutcome | Promise<DocumentOutcome> {
  const { pipeline } = template;
  return guarded(runtime, template, () => {
    const read =
      pipeline.recipe.sourceFormat === "X12"
        ? x12Document(document as X12MappingInput)
        : { document, place: () => undefined };
    const mapped = pipeline.map(read, context);
    const write = (one: MappedOutcome): DocumentOutcome =>
      one.ok ? pipeline.write(one.document, context) : one;
    return mapped instanceof Promise ? mapped.then(write) : write(mapped);
  });
}

/** Reads and maps a document without writing it: for whoever writes it otherwise, as X12 with a partner's envelope. */
export function mapDocument(
  runtime: Runtime,
  template: ReadyTemplate,
  source: SourceDocument,
  context: MapContext = {},
): MappedOutcome | Promise<MappedOutcome> {
  return guarded(runtime, template, () => template.pipeline.mapSource(source, context));
}

async function inThread(
  runtime: Runtime,
  { laneKey, pipeline }: ReadyTemplate,
  source: SourceDocument,
  context: MapContext,
): Promise<DocumentOutcome> {
  try {
    return await documentThreadsOf(runtime).run(
      "transform",
      { recipe: pipeline.recipe, source, context },
      { key: laneKey, deadlineMs: DEADLINE_MS + Math.round(source.bytes.byteLength * DEADLINE_PER_BYTE_MS) },
    );
  } catch (error) {
    if (error instanceof ThreadFailure)
      return plainFailure(error.code, error.message, error.code !== "transform_memory");
    throw error;
  }
}

type Outcome = { ok: true } | DocumentFailure;

/** Lets a document through while the template is on and does not rest, and books how it went. */
function guarded<T extends Outcome>(
  runtime: Runtime,
  template: ReadyTemplate,
  run: () => T | DocumentFailure | Promise<T | DocumentFailure>,
): T | DocumentFailure | Promise<T | DocumentFailure> {
  if (!template.isActive) {
    const message = `The template ${template.code} is switched off`;
    return plainFailure("transformation_inactive", message, true, RETRY_AFTER_MS.max);
  }
  const { health, pause } = template;
  const pausedUntilMs = pause === null ? undefined : Date.parse(pause.pausedUntil);
  const admission = admit(health, pausedUntilMs, runtime.clock.nowMs());
  if (admission === "paused") {
    counterOf(runtime).inc("paused");
    const leftMs = (pausedUntilMs ?? 0) - runtime.clock.nowMs();
    const retryAfterMs = Math.min(Math.max(leftMs, RETRY_AFTER_MS.min), RETRY_AFTER_MS.max);
    return plainFailure("transform_paused", pausedText(template), true, retryAfterMs);
  }
  const finish = (outcome: T | DocumentFailure): T | DocumentFailure => {
    counterOf(runtime).inc(outcome.ok ? "passed" : "failed");
    const failure = outcome.ok ? undefined : (outcome as DocumentFailure);
    const next = book(health, admission, failure?.code);
    if (next === "resume") void resumeTemplate(runtime, template);
    if (next === "pause") void pauseTemplate(runtime, template, failure!);
    return outcome;
  };
  /** A fault of ours says nothing of the template. */
  const letGo = (error: unknown): never => {
    if (admission === "probe") health.isProbed = false;
    throw error;
  };
  try {
    const outcome = run();
    return outcome instanceof Promise ? outcome.then(finish, letGo) : finish(outcome);
  } catch (error) {
    return letGo(error);
  }
}

function pausedText({ code, version, pause }: ReadyTemplate): string {
  return (
    `The template ${code} version ${version} rests until ${pause?.pausedUntil ?? "it is tried"}, because it failed ` +
    `${pause?.failures ?? 0} documents in a row: ${pause?.message ?? ""}`
  );
}
