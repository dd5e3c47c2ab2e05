import { writeCsvDocument } from "./csv/write-csv-document.ts";
import type { DocumentFormat, DocumentValue } from "./document.ts";
import type { WriteOutcome } from "./fault.ts";
import { writeJsonDocument } from "./json/write-json-document.ts";
import { FORMAT_LIMITS, type FormatLimits } from "./limits.ts";
import type { FormatSettings, SettingsOf } from "./settings.ts";
import { writeXmlDocument } from "./xml/write-xml-document.ts";

type Writers = {
  [F in DocumentFormat]: (
    document: DocumentValue,
    settings: FormatSettings[F],
    limits: FormatLimits,
  ) => WriteOutcome;
};

const WRITERS: Writers = { JSON: writeJsonDocument, XML: writeXmlDocument, CSV: writeCsvDocument };

/**
 * Writes plain values in a format. What the format cannot say is a fault with the pointer of the value; nothing that
 * is written is broken, and reading it with the same settings gives the same document.
 */
export function writeDocument<F extends DocumentFormat>(
  format: F,
  document: DocumentValue,
  settings: SettingsOf<F>,
  limits: FormatLimits = FORMAT_LIMITS,
): WriteOutcome {
  return WRITERS[format](document, settings, limits);
}
