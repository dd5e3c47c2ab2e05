import { type DocumentFailure, documentFailure, type DocumentOutcome } from "./document-fault.ts";
import type { SourceDocument } from "./document-tasks.ts";
import type { MapContext } from "./mapping/mapping-result.ts";
import type { Pipeline } from "./pipeline.ts";
import { readWhole } from "./read-whole.ts";

/** Records of a JSON document: the list at the record path, each with its pointer. */
export async function transformTree(
  pipeline: Pipeline,
  source: SourceDocument,
  context: MapContext,
): Promise<DocumentOutcome> {
  const read = readWhole(pipeline.recipe, source);
  if (!read.ok) return read;
  const { document, place } = read.documents[0]!;
  const found = recordsAt(document, pipeline.recipe.mappingRules.recordPath!);
  if (found === undefined) {
    const message = `There is no list of records at ${pipeline.recipe.mappingRules.recordPath}`;
    return documentFailure("document_invalid", [{ code: "no_records", message }]);
  }
  const outputs: unknown[] = [];
  for (const [index, record] of found.records.entries()) {
    const at = `${found.pointer}/${index}`;
    const one = { document: record, place: (pointer: string) => place(at + pointer) };
    // oxlint-disable-next-line no-await-in-loop -- in their order
    const mapped = await pipeline.map(one, { ...context, recordIndex: index });
    if (!mapped.ok) return inRecord(mapped, index + 1, at);
    outputs.push(mapped.document);
  }
  return pipeline.write(outputs, context);
}

/** Faults of one record told by its number, their pointers by the whole document. */
function inRecord(failure: DocumentFailure, record: number, at: string): DocumentFailure {
  const faults = failure.faults.map(({ source, ...fault }) => ({
    ...fault,
    record,
    ...(source === undefined ? {} : { source: at + source }),
  }));
  return documentFailure(failure.code, faults, failure.retryable);
}

/** The list at a plain path (`[*]`, `orders.order`, `orders[*]`); a single object passes for a list of one. */
function recordsAt(
  document: unknown,
  recordPath: string,
): { records: readonly unknown[]; pointer: string } | undefined {
  let value = document;
  let pointer = "";
  for (const name of recordPath
    .replace(/\[\*\]$/, "")
    .split(".")
    .filter((part) => part !== "")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
    pointer += `/${name}`;
  }
  return Array.isArray(value) ? { records: value, pointer } : undefined;
}
