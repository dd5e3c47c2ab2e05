import { type DocumentFailure, documentFailure, type DocumentFault } from "./document-fault.ts";
import type { SourceDocument } from "./document-tasks.ts";
import type { Recipe } from "./load-template.ts";
import { DOCUMENT_BYTES_MAX, type ReadDocument, readSource } from "./read-source.ts";

/** Reads a document as a whole. */
export function readWhole(
  recipe: Recipe,
  { bytes, charset }: SourceDocument,
): { ok: true; documents: ReadDocument[] } | DocumentFailure {
  if (bytes.byteLength > DOCUMENT_BYTES_MAX) return tooLarge(recipe, bytes.byteLength);
  const read = readSource(recipe.sourceFormat, bytes, sourceSettings(recipe, charset));
  return read.ok ? read : unreadable(read.faults);
}

/** `source` of the rules, with the charset that the carrier names where they name none. */
export function sourceSettings(
  { sourceFormat, mappingRules }: Recipe,
  charset: string | undefined,
): Readonly<Record<string, unknown>> {
  const settings = mappingRules.source ?? {};
  const encoding = charset === undefined ? undefined : ENCODINGS[charset.toLowerCase()];
  const takesOne = sourceFormat === "XML" || sourceFormat === "CSV";
  if (!takesOne || encoding === undefined || settings["encoding"] !== undefined) return settings;
  return { ...settings, encoding };
}

/** Charset names of content types, as the formats' settings call them. */
const ENCODINGS: Readonly<Record<string, string>> = {
  "utf-8": "utf-8",
  utf8: "utf-8",
  "us-ascii": "utf-8",
  "utf-16le": "utf-16le",
  "iso-8859-1": "iso-8859-1",
  latin1: "iso-8859-1",
  "windows-1252": "windows-1252",
};

function tooLarge({ sourceFormat }: Recipe, bytes: number): DocumentFailure {
  const hint =
    sourceFormat === "CSV" || sourceFormat === "XML" ? "; with recordPath it is read record by record" : "";
  const message = `The document has ${bytes} bytes; at most ${DOCUMENT_BYTES_MAX} are read as a whole${hint}`;
  return documentFailure("document_too_large", [{ code: "document_too_large", message }]);
}

/** The failure of a document that is not of its format. */
export function unreadable(faults: readonly DocumentFault[]): DocumentFailure {
  const isTooLarge = faults[0]?.code === "document_too_large" || faults[0]?.code === "record_too_large";
  return documentFailure(isTooLarge ? "document_too_large" : "document_invalid", faults);
}
