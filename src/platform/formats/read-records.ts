import { readCsvRecords } from "./csv/read-csv-records.ts";
import type { Chunks } from "./decode-chunks.ts";
import type { RecordOutcome } from "./fault.ts";
import { FORMAT_LIMITS, type FormatLimits } from "./limits.ts";
import type { FormatSettings } from "./settings.ts";
import { readXmlRecords } from "./xml/read-xml-records.ts";

/** Formats that can be read record by record, at any size. */
export type RecordFormat = "XML" | "CSV";

type Readers = {
  [F in RecordFormat]: (
    chunks: Chunks,
    settings: FormatSettings[F],
    limits: FormatLimits,
  ) => AsyncGenerator<RecordOutcome, void>;
};

const READERS: Readers = { XML: readXmlRecords, CSV: readCsvRecords };

/**
 * Reads a stream of any length record by record: lines of CSV, the elements at `recordPath` of XML. The limits are those
 * of one record. A fault of the document is the last thing that comes; a fault of the source is thrown.
 */
export function readRecords<F extends RecordFormat>(
  format: F,
  chunks: Chunks,
  settings: FormatSettings[F],
  limits: FormatLimits = FORMAT_LIMITS,
): AsyncGenerator<RecordOutcome, void> {
  return READERS[format](chunks, settings, limits);
}
