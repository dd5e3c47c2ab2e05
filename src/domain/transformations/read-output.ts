import { readSource } from "./read-source.ts";
import type { VersionContent } from "./store.ts";
import { OUTPUT_LIMITS } from "./write-target.ts";

/** Settings that a format reads as well as writes: a document written with them is read back by them. */
export function readOutput(
  { targetFormat, mappingRules }: Pick<VersionContent, "targetFormat" | "mappingRules">,
  bytes: Uint8Array,
): { ok: true; document: unknown } | { ok: false; message: string } {
  const settings = targetFormat === "X12" ? {} : (mappingRules.target ?? {});
  const read = readSource(targetFormat, bytes, settings, OUTPUT_LIMITS);
  if (!read.ok) return { ok: false, message: read.faults[0]?.message ?? "it is not of its format" };
  const documents = read.documents.map(({ document }) => document);
  return { ok: true, document: documents.length === 1 ? documents[0] : documents };
}
