import { parseCsvDocument } from "./csv/parse-csv-document.ts";
import type { DocumentFormat } from "./document.ts";
import type { ParseOutcome } from "./fault.ts";
import { parseJsonDocument } from "./json/parse-json-document.ts";
import { FORMAT_LIMITS, type FormatLimits } from "./limits.ts";
import type { FormatSettings, SettingsOf } from "./settings.ts";
import { parseXmlDocument } from "./xml/parse-xml-document.ts";

type Parsers = {
  [F in DocumentFormat]: (
    bytes: Uint8Array,
    settings: FormatSettings[F],
    limits: FormatLimits,
  ) => ParseOutcome;
};

const PARSERS: Parsers = {
  JSON: (bytes, _settings, limits) => parseJsonDocument(bytes, limits),
  XML: parseXmlDocument,
  CSV: parseCsvDocument,
};

/**
 * Reads a whole document of a format into plain values. Never throws on input: what is wrong is a fault with its place.
 *
 * @param bytes as they came, with or without a byte-order mark; up to a megabyte unless the limits say otherwise
 */
export function parseDocument<F extends DocumentFormat>(
  format: F,
  bytes: Uint8Array,
  settings: SettingsOf<F>,
  limits: FormatLimits = FORMAT_LIMITS,
): ParseOutcome {
  return PARSERS[format](bytes, settings, limits);
}
