import type { DocumentValue } from "../document.ts";
import { BYTE_ORDER_MARKS, encodeText } from "../encode-text.ts";
import { FormatError, type WriteOutcome } from "../fault.ts";
import { writtenTooLarge, type FormatLimits } from "../limits.ts";
import type { CsvSettings } from "../settings.ts";
import { columnsOf, CsvWriter } from "./csv-writer.ts";

/** Writes an array of records as CSV. */
export function writeCsvDocument(
  document: DocumentValue,
  settings: CsvSettings,
  limits: FormatLimits,
): WriteOutcome {
  if (!Array.isArray(document)) {
    const message = "A CSV document is an array of records";
    return { ok: false, faults: [{ code: "unwritable_value", message, pointer: "" }] };
  }
  let text: string;
  try {
    const writer = new CsvWriter(settings, columnsOf(document, settings));
    const isEmpty = document.length === 0 && settings.columns === undefined;
    text = (isEmpty ? "" : writer.header()) + writer.records(document, (index) => `/${index}`);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { ok: false, faults: [error.fault] };
  }
  const bytes = Buffer.concat([csvMark(settings), encodeText(text, settings.encoding ?? "utf-8")]);
  if (bytes.byteLength > limits.bytesMax)
    return { ok: false, faults: [writtenTooLarge(bytes.byteLength, limits)] };
  return { ok: true, bytes };
}

/** UTF-16 is only recognised by its mark. */
export function csvMark({
  encoding = "utf-8",
  byteOrderMark = encoding === "utf-16le",
}: CsvSettings): Uint8Array {
  return byteOrderMark ? BYTE_ORDER_MARKS[encoding] : new Uint8Array();
}
