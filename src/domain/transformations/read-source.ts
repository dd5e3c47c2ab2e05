import type { FormatFault } from "../../platform/formats/fault.ts";
import { FORMAT_LIMITS, type FormatLimits } from "../../platform/formats/limits.ts";
import { parseDocument } from "../../platform/formats/parse-document.ts";
import type { SettingsOf } from "../../platform/formats/settings.ts";
import {
  formatFaults,
  parseX12Document,
  type X12MappingInput,
} from "../../platform/x12/parse-x12-document.ts";
import { placeOfPointer } from "../../platform/x12/place-of-pointer.ts";
import type { X12SettingsInput } from "../../platform/x12/settings.ts";
import type { SourcePlace } from "./document-fault.ts";
import type { DocumentFormat } from "./transformation-schema.ts";

/** A document as a mapping sees it. */
export interface ReadDocument {
  document: unknown;
  /** Where the value of a pointer stands in the source; undefined where that is not known. */
  place(pointer: string): SourcePlace | undefined;
}

/** A document of X12 holds one for each transaction set. */
export type ReadOutcome = { ok: true; documents: ReadDocument[] } | { ok: false; faults: FormatFault[] };

/** Bytes up to which a document is read as a whole. */
export const DOCUMENT_BYTES_MAX = 1_048_576;

type Reader = (
  bytes: Uint8Array,
  settings: Readonly<Record<string, unknown>>,
  limits: FormatLimits,
) => ReadOutcome;

function readTree<F extends "JSON" | "XML" | "CSV">(format: F): Reader {
  return (bytes, settings, limits) => {
    const parsed = parseDocument(format, bytes, settings as SettingsOf<F>, limits);
    return parsed.ok
      ? { ok: true, documents: [{ document: parsed.document, place: parsed.place }] }
      : { ok: false, faults: parsed.faults };
  };
}

function readX12(bytes: Uint8Array, settings: Readonly<Record<string, unknown>>): ReadOutcome {
  const { document, sets } = parseX12Document(bytes, settings as X12SettingsInput);
  const accepted = sets.flatMap(({ input }) => (input === null ? [] : [input]));
  if (!document.accepted) return { ok: false, faults: formatFaults(document) };
  if (accepted.length === 0)
    return {
      ok: false,
      faults: [{ code: "no_transaction_set", message: "The document has no transaction set" }],
    };
  return { ok: true, documents: accepted.map(x12Document) };
}

/** A set as a mapping sees it, with its segments as the places of faults. */
export function x12Document(input: X12MappingInput): ReadDocument {
  return { document: input, place: (pointer) => placeOfPointer(input, pointer) };
}

const READERS: Readonly<Record<DocumentFormat, Reader>> = {
  JSON: readTree("JSON"),
  XML: readTree("XML"),
  CSV: readTree("CSV"),
  X12: readX12,
};

/**
 * Reads a document of a format.
 *
 * @param settings `source` of the mapping rules
 * @returns faults with their places; never throws on input
 */
export function readSource(
  format: DocumentFormat,
  bytes: Uint8Array,
  settings: Readonly<Record<string, unknown>> = {},
  limits: FormatLimits = FORMAT_LIMITS,
): ReadOutcome {
  return READERS[format](bytes, settings, limits);
}
