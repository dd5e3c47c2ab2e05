import { type Context, requireScope } from "../context.ts";
import { invalidInput } from "../errors.ts";
import { documentThreadsOf } from "./document-threads.ts";
import type { SuggestInput, Suggestion } from "./preview-schema.ts";
import { readExample } from "./read-example.ts";
import { withThread } from "./with-thread.ts";

/** Time for two documents; each field of one is compared with each of the other. */
const SUGGEST_DEADLINE_MS = 15_000;

/**
 * Suggests a first mapping from two sample documents, by names, types and values. A person is to look at it.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a document that is not of its format; 503 `unavailable` when
 * it takes too long
 */
export async function suggestTransformation(ctx: Context, input: SuggestInput): Promise<Suggestion> {
  requireScope(ctx, "transformations:read");
  const { sourceFormat, targetFormat } = input;
  const source = readExample(sourceFormat, input.source, undefined, "/source");
  const target = readExample(targetFormat, input.target, undefined, "/target");
  if ("path" in source) throw invalidInput([source]);
  if ("path" in target) throw invalidInput([target]);
  const suggestion = await withThread(
    documentThreadsOf(ctx.runtime).run(
      "suggest",
      { sourceFormat, source, targetFormat, target },
      { key: `suggest ${ctx.tenantId}`, deadlineMs: SUGGEST_DEADLINE_MS },
    ),
  );
  if ("ok" in suggestion)
    throw invalidInput(
      [{ path: "", message: suggestion.message }],
      `A document cannot be read: ${suggestion.message}`,
    );
  const { rules, matches, unmatchedTargets } = suggestion;
  return { mappingRules: rules, matches, unmatchedTargets };
}
