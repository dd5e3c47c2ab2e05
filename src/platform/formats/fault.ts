import type { DocumentValue } from "./document.ts";

/** Where something stands in the bytes of a document. Lines and columns count from 1, columns in characters. */
export interface Place {
  line: number;
  column: number;
  /** Byte of the input, from 0. */
  offset: number;
}

/** What is wrong with a document, and where. */
export interface FormatFault extends Partial<Place> {
  code: string;
  message: string;
  /** JSON pointer (RFC 6901) into the document's values; when writing, of the value that cannot be written. */
  pointer?: string;
  /** X12: number of the segment in its set or document, element, component; from 1. */
  segment?: number;
  element?: number;
  component?: number;
}

/** Codes of JSON, XML and CSV. */
export const FORMAT_FAULT_CODES = {
  document_too_large: "over the limit of bytes",
  record_too_large: "one record of a stream is over the limit of bytes",
  too_deep: "more levels than allowed",
  too_many_values: "more members, items, elements or cells than allowed",
  invalid_encoding: "bytes that the encoding does not have",
  unsupported_encoding: "declared in an encoding that is not read",
  invalid_json: "not JSON",
  duplicate_key: "an object has the same key twice",
  lone_surrogate: "half of a surrogate pair, which no UTF-8 can carry",
  reserved_name: "a member called __proto__",
  invalid_xml: "not well-formed XML with namespaces",
  doctype_refused: "a document type declaration",
  prefix_taken: "a prefix stands for another namespace than the settings say",
  invalid_csv: "not CSV of the dialect",
  wrong_cell_count: "a record has not as many cells as the header",
  duplicate_header: "a column's name stands twice in the header",
  empty_header: "a column has no name",
  missing_column: "the header lacks a column of the settings",
  unknown_column: "a column that the settings or the header do not have",
  missing_record_path: "XML has no records without a path in the settings",
  unwritable_value: "a value that the format has no form for",
  unwritable_text: "text that the format or the encoding cannot carry",
  invalid_name: "a name that the format does not allow",
  undeclared_prefix: "a prefix without a namespace",
} as const;
export type FormatFaultCode = keyof typeof FORMAT_FAULT_CODES;

export type ParseOutcome =
  | {
      ok: true;
      document: DocumentValue;
      /** Where the value of a pointer stands, by reading the document once more; undefined where there is none. */
      place(pointer: string): Place | undefined;
    }
  | { ok: false; faults: FormatFault[] };

export type WriteOutcome = { ok: true; bytes: Uint8Array } | { ok: false; faults: FormatFault[] };

/** One step of a stream of records; a fault is the last one. */
export type RecordOutcome =
  | {
      ok: true;
      record: DocumentValue;
      /** 1 for the first record. */
      number: number;
      /** Where the record begins. */
      place: Place;
    }
  | { ok: false; faults: FormatFault[] };

/** Carries a fault out of a parser's callbacks; never leaves this folder. */
export class FormatError extends Error {
  readonly fault: FormatFault;
  /** Index of the character in the text that was read; the catcher, who has the text, makes a place of it. */
  readonly index: number;

  constructor(fault: FormatFault, index: number) {
    super(fault.message);
    this.fault = fault;
    this.index = index;
  }
}
