import type { FormatFault } from "./fault.ts";

/** What one document may cost. */
export interface FormatLimits {
  /** Of a document, or of one record in a stream. Also what may be written. */
  bytesMax: number;
  /** Objects, arrays or elements inside each other. */
  depthMax: number;
  /** Members of all objects (JSON), elements and attributes (XML), cells (CSV): of a document, or of a record. */
  valuesMax: number;
}

/**
 * A megabyte is what a tree is built of; larger CSV and XML go record by record. The depth is far under what recursion
 * over a value can take, the number of values keeps a document's tree within some tens of megabytes.
 */
export const FORMAT_LIMITS: FormatLimits = { bytesMax: 1_048_576, depthMax: 64, valuesMax: 200_000 };

export function tooLarge(bytes: number, limits: FormatLimits): FormatFault {
  const message = `The document has ${bytes} bytes; ${limits.bytesMax} are allowed`;
  return { code: "document_too_large", message, offset: limits.bytesMax };
}

export function writtenTooLarge(bytes: number, limits: FormatLimits): FormatFault {
  const message = `The written document has ${bytes} bytes; ${limits.bytesMax} are allowed`;
  return { code: "document_too_large", message };
}
