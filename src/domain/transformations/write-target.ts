import { FORMAT_LIMITS, type FormatLimits } from "../../platform/formats/limits.ts";
import { writeDocument } from "../../platform/formats/write-document.ts";
import type { DocumentValue } from "../../platform/formats/document.ts";
import type { SettingsOf } from "../../platform/formats/settings.ts";
import type { WriteOutcome } from "../../platform/formats/fault.ts";
import { envelopeOf, writeX12Document } from "../../platform/x12/write-x12-document.ts";
import { MAP_LIMITS } from "./mapping/mapping-result.ts";
import { documentFailure, type DocumentOutcome } from "./document-fault.ts";
import type { DocumentFormat } from "./transformation-schema.ts";

/** What a mapping may make of a document (`MAP_LIMITS`): more than it was made of, because formats differ in length. */
export const OUTPUT_LIMITS: FormatLimits = {
  ...FORMAT_LIMITS,
  bytesMax: MAP_LIMITS.outputChars,
  valuesMax: MAP_LIMITS.outputValues,
};

/**
 * Writes what a mapping made in the target format.
 *
 * @param settings `target` of the mapping rules
 * @param nowMs time of X12's envelope, which the document names itself here; the system's clock when left out
 */
export function writeTarget(
  format: DocumentFormat,
  document: unknown,
  settings: Readonly<Record<string, unknown>> = {},
  nowMs = Date.now(),
): DocumentOutcome {
  const written =
    format === "X12"
      ? writeX12Document(document, envelopeOf(document, new Date(nowMs)))
      : write(format, document, settings);
  if (written.ok) return written;
  const faults = written.faults.map(({ pointer, ...fault }) => ({
    ...fault,
    ...(pointer === undefined ? {} : { target: pointer }),
  }));
  return documentFailure("output_unwritable", faults);
}

function write<F extends "JSON" | "XML" | "CSV">(
  format: F,
  document: unknown,
  settings: Readonly<Record<string, unknown>>,
): WriteOutcome {
  // A mapping makes values of the common document only: what it takes from the source, and its constants.
  return writeDocument(format, document as DocumentValue, settings as SettingsOf<F>, OUTPUT_LIMITS);
}

/** Content type of each format; what is written is UTF-8 unless the settings say otherwise. */
export const CONTENT_TYPES: Readonly<Record<DocumentFormat, string>> = {
  JSON: "application/json",
  XML: "application/xml",
  CSV: "text/csv",
  X12: "application/edi-x12",
};

/** Content type of a written document, with its charset where the format has that parameter. */
export function contentTypeOf(
  format: DocumentFormat,
  settings: Readonly<Record<string, unknown>> | undefined,
): string {
  const encoding = settings?.["encoding"];
  if (format === "CSV") return `text/csv; charset=${typeof encoding === "string" ? encoding : "utf-8"}`;
  if (format === "XML" && typeof encoding === "string" && encoding !== "utf-8")
    return `application/xml; charset=${encoding}`;
  return CONTENT_TYPES[format];
}
