import type { DocumentValue } from "../document.ts";
import { BYTE_ORDER_MARKS, encodeText } from "../encode-text.ts";
import { FormatError, type WriteOutcome } from "../fault.ts";
import { writtenTooLarge, type FormatLimits } from "../limits.ts";
import type { XmlSettings } from "../settings.ts";
import { xmlNamespaces } from "./xml-names.ts";
import { XmlWriter } from "./xml-writer.ts";

/** Writes a document `{ <root>: value }` as XML; reading it with the same settings gives the same document. */
export function writeXmlDocument(
  document: DocumentValue,
  settings: XmlSettings,
  limits: FormatLimits,
): WriteOutcome {
  let text: string;
  try {
    text = new XmlWriter(settings, limits, xmlNamespaces(settings)).document(document);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { ok: false, faults: [error.fault] };
  }
  const { encoding = "utf-8" } = settings;
  const body = encodeText(text, encoding);
  const bytes = encoding === "utf-16le" ? Buffer.concat([BYTE_ORDER_MARKS[encoding], body]) : body;
  if (bytes.byteLength > limits.bytesMax)
    return { ok: false, faults: [writtenTooLarge(bytes.byteLength, limits)] };
  return { ok: true, bytes };
}
