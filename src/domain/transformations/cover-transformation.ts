import { type Context, requireScope } from "../context.ts";
import { invalidInput } from "../errors.ts";
import { documentThreadsOf } from "./document-threads.ts";
import { recipeOf } from "./load-template.ts";
import { namedVersion } from "./named-version.ts";
import type { CoverageInput, CoverageReport } from "./preview-schema.ts";
import { readExample } from "./read-example.ts";
import type { DocumentFormat } from "./transformation-schema.ts";
import { withThread } from "./with-thread.ts";

const COVER_DEADLINE_MS = 10_000;

/**
 * What the rules of a version leave: fields of a source document that none reads, fields that the target demands or has
 * in a sample and none writes, and places that the target does not know.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a version that is none or a document that is not of its format; 503 `unavailable` when it takes too long
 */
export async function coverTransformation(ctx: Context, input: CoverageInput): Promise<CoverageReport> {
  requireScope(ctx, "transformations:read");
  const { content, subMappings } = await namedVersion(ctx, input);
  const example = (format: DocumentFormat, field: "source" | "target"): Uint8Array | undefined => {
    if (input[field] === undefined) return undefined;
    const bytes = readExample(format, input[field], undefined, `/${field}`);
    if ("path" in bytes) throw invalidInput([bytes]);
    return bytes;
  };
  const coverage = await withThread(
    documentThreadsOf(ctx.runtime).run(
      "cover",
      {
        recipe: recipeOf(content, subMappings),
        source: example(content.sourceFormat, "source"),
        target: example(content.targetFormat, "target"),
        targetSchema: input.targetSchema ?? content.validationRules?.output,
      },
      { key: `coverage ${ctx.tenantId}`, deadlineMs: COVER_DEADLINE_MS },
    ),
  );
  if (!("ok" in coverage)) return coverage;
  throw invalidInput([{ path: "/source", message: coverage.message }], coverage.message);
}
