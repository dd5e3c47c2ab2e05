import type { DocumentFormat, DocumentValue } from "../../src/platform/formats/document.ts";
import type { FormatFault, Place, RecordOutcome } from "../../src/platform/formats/fault.ts";
import type { FormatLimits } from "../../src/platform/formats/limits.ts";
import { parseDocument } from "../../src/platform/formats/parse-document.ts";
import type { SettingsOf } from "../../src/platform/formats/settings.ts";
import { writeDocument } from "../../src/platform/formats/write-document.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export const bytesOf = (text: string): Uint8Array => encoder.encode(text);

/** The document; an error names the fault. */
export function read<F extends DocumentFormat>(
  format: F,
  input: string | Uint8Array,
  settings: SettingsOf<F>,
  limits?: FormatLimits,
): DocumentValue {
  const outcome = parseDocument(format, typeof input === "string" ? bytesOf(input) : input, settings, limits);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
  return outcome.document;
}

/** The first fault. */
export function refusal<F extends DocumentFormat>(
  format: F,
  input: string | Uint8Array,
  settings: SettingsOf<F>,
  limits?: FormatLimits,
): FormatFault {
  const outcome = parseDocument(format, typeof input === "string" ? bytesOf(input) : input, settings, limits);
  if (outcome.ok) throw new Error(`It was read: ${JSON.stringify(outcome.document).slice(0, 200)}`);
  return outcome.faults[0]!;
}

/** Where a pointer's value stands, as the text from there on. */
export function textAt<F extends DocumentFormat>(
  format: F,
  text: string,
  pointer: string,
  settings: SettingsOf<F>,
): string | undefined {
  const bytes = bytesOf(text);
  const outcome = parseDocument(format, bytes, settings);
  const place: Place | undefined = outcome.ok ? outcome.place(pointer) : undefined;
  return place === undefined ? undefined : decoder.decode(bytes.subarray(place.offset));
}

export function write<F extends DocumentFormat>(
  format: F,
  document: DocumentValue,
  settings: SettingsOf<F>,
  limits?: FormatLimits,
): string {
  const outcome = writeDocument(format, document, settings, limits);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
  return decoder.decode(outcome.bytes);
}

/** The fault of a document that cannot be written; `document` may be what no type allows. */
export function writeRefusal<F extends DocumentFormat>(
  format: F,
  document: unknown,
  settings: SettingsOf<F>,
  limits?: FormatLimits,
): FormatFault {
  const outcome = writeDocument(format, document as DocumentValue, settings, limits);
  if (outcome.ok) throw new Error(`It was written: ${decoder.decode(outcome.bytes)}`);
  return outcome.faults[0]!;
}

export interface ReadStream {
  records: DocumentValue[];
  places: Place[];
  fault: FormatFault | undefined;
}

/** All that a stream of records gives. */
export async function readAll(outcomes: AsyncIterable<RecordOutcome>): Promise<ReadStream> {
  const stream: ReadStream = { records: [], places: [], fault: undefined };
  for await (const outcome of outcomes) {
    if (outcome.ok) {
      stream.records.push(outcome.record);
      stream.places.push(outcome.place);
    } else {
      stream.fault = outcome.faults[0];
    }
  }
  return stream;
}

/** A text in chunks of some bytes, which cut characters as it comes. */
export function chunksOf(input: string | Uint8Array, size: number): Uint8Array[] {
  const bytes = typeof input === "string" ? bytesOf(input) : input;
  return Array.from({ length: Math.ceil(bytes.byteLength / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}
