import { type Context, requireScope } from "../context.ts";
import { invalidInput } from "../errors.ts";
import { plainFailure } from "./document-fault.ts";
import type { Trace } from "./document-tasks.ts";
import { documentThreadsOf, ThreadFailure } from "./document-threads.ts";
import { recipeOf } from "./load-template.ts";
import { namedVersion } from "./named-version.ts";
import { presentDocument } from "./present-transformation.ts";
import type { Preview, PreviewInput } from "./preview-schema.ts";
import { readExample } from "./read-example.ts";
import { contentTypeOf } from "./write-target.ts";

/** Time for the document of a preview: somebody waits, and sees what takes long. */
const PREVIEW_DEADLINE_MS = 10_000;

/**
 * Makes of one document what a version says, and shows each rule's values and time. Nothing is stored, sent or counted.
 *
 * @returns also for a document that is refused: where, and by which rule
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a version that is none, and with every fault of its rules
 */
export async function previewTransformation(ctx: Context, input: PreviewInput): Promise<Preview> {
  requireScope(ctx, "transformations:read");
  const { content, subMappings } = await namedVersion(ctx, input);
  const bytes = readExample(content.sourceFormat, input.input, input.inputEncoding, "/input");
  if ("path" in bytes) throw invalidInput([bytes]);
  const context = input.context === undefined ? {} : { values: input.context };
  const { runtime, tenantId } = ctx;
  const trace = await documentThreadsOf(runtime)
    .run(
      "trace",
      { recipe: recipeOf(content, subMappings), source: { bytes }, context },
      { key: `preview ${tenantId}`, deadlineMs: PREVIEW_DEADLINE_MS },
    )
    .catch((error: unknown): Trace => {
      if (!(error instanceof ThreadFailure)) throw error;
      const outcome = plainFailure(error.code, error.message, false);
      return { outcome, rules: [], readMicros: 0, mapMicros: 0, writeMicros: 0 };
    });
  const { outcome, rules, readMicros, mapMicros, writeMicros } = trace;
  const shown = { rules, timing: { readMicros, mapMicros, writeMicros } };
  if (!outcome.ok) {
    const { code, message, faults } = outcome;
    return { ok: false, output: null, code, message, faults, ...shown };
  }
  const { text, encoding } = presentDocument(outcome.bytes);
  const { targetFormat, mappingRules } = content;
  const output = {
    format: targetFormat,
    contentType: contentTypeOf(targetFormat, mappingRules.target),
    body: text,
    bodyEncoding: encoding,
    document: targetFormat === "JSON" ? (JSON.parse(text) as unknown) : null,
  };
  return { ok: true, output, code: null, message: null, faults: [], ...shown };
}
