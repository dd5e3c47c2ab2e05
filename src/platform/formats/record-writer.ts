import { columnsOf, CsvWriter } from "./csv/csv-writer.ts";
import { csvMark } from "./csv/write-csv-document.ts";
import type { DocumentFormat, DocumentValue } from "./document.ts";
import { BYTE_ORDER_MARKS, encodeText } from "./encode-text.ts";
import { FormatError, type WriteOutcome } from "./fault.ts";
import { writeJsonDocument } from "./json/write-json-document.ts";
import { FORMAT_LIMITS, writtenTooLarge, type FormatLimits } from "./limits.ts";
import { parsePointer } from "./pointer.ts";
import type { CsvSettings, FormatSettings, SettingsOf, XmlSettings } from "./settings.ts";
import { xmlNamespaces } from "./xml/xml-names.ts";
import { XmlWriter } from "./xml/xml-writer.ts";

/** Writes a document record by record; the bytes of all outcomes one after the other are the document. */
export interface RecordWriter {
  /** Bytes of a record, and before the first one what begins the document. A record at fault writes nothing. */
  write(record: DocumentValue): WriteOutcome;
  /** What ends the document. */
  end(): WriteOutcome;
}

type Openers = { [F in DocumentFormat]: (settings: FormatSettings[F], limits: FormatLimits) => RecordWriter };

const OPENERS: Openers = { JSON: openJson, XML: openXml, CSV: openCsv };

/**
 * Opens a stream of records: an array (JSON), the elements at `recordPath` inside the ones around them (XML), lines
 * (CSV; the columns are those of the settings, else the members of the first record). The limits are those of a record.
 */
export function openRecordWriter<F extends DocumentFormat>(
  format: F,
  settings: SettingsOf<F>,
  limits: FormatLimits = FORMAT_LIMITS,
): RecordWriter {
  return OPENERS[format](settings, limits);
}

function openJson(settings: FormatSettings["JSON"], limits: FormatLimits): RecordWriter {
  let separator = "[";
  return {
    write(record) {
      const written = writeJsonDocument(record, settings, limits);
      if (!written.ok) return written;
      const bytes = Buffer.concat([encodeText(separator, "utf-8"), written.bytes]);
      separator = ",\n";
      return { ok: true, bytes };
    },
    end: () => ({ ok: true, bytes: encodeText(separator === "[" ? "[]" : "]", "utf-8") }),
  };
}

/** Turns a text writer that throws faults into one of bytes; `opening` is written before the first text. */
function textWriter(
  encoding: XmlSettings["encoding"] & string,
  mark: Uint8Array,
  limits: FormatLimits,
  text: { record(record: DocumentValue): string; end(): string },
): RecordWriter {
  let opening = mark;
  const outcome = (make: () => string): WriteOutcome => {
    try {
      const bytes = encodeText(make(), encoding);
      if (bytes.byteLength > limits.bytesMax) {
        return { ok: false, faults: [writtenTooLarge(bytes.byteLength, limits)] };
      }
      const all = opening.byteLength === 0 ? bytes : Buffer.concat([opening, bytes]);
      opening = new Uint8Array();
      return { ok: true, bytes: all };
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return { ok: false, faults: [error.fault] };
    }
  };
  return { write: (record) => outcome(() => text.record(record)), end: () => outcome(() => text.end()) };
}

function openXml(settings: XmlSettings, limits: FormatLimits): RecordWriter {
  const encoding = settings.encoding ?? "utf-8";
  const writer = new XmlWriter(settings, limits, xmlNamespaces(settings));
  const names = parsePointer(settings.recordPath ?? "") ?? [];
  const name = names.at(-1);
  let isOpen = false;
  const open = (): string => {
    if (name === undefined || names.length < 2) {
      const message = "Records of XML are written only with a recordPath of two names or more";
      throw new FormatError({ code: "missing_record_path", message }, -1);
    }
    return isOpen ? "" : writer.declaration() + writer.wrapper(names.slice(0, -1)).opening;
  };
  const mark = encoding === "utf-16le" ? BYTE_ORDER_MARKS[encoding] : new Uint8Array();
  return textWriter(encoding, mark, limits, {
    record(record) {
      const text = open() + writer.record(name ?? "", record, names.length);
      isOpen = true;
      return text;
    },
    end: () => open() + writer.wrapper(names.slice(0, -1)).closing,
  });
}

function openCsv(settings: CsvSettings, limits: FormatLimits): RecordWriter {
  let writer: CsvWriter | undefined;
  return textWriter(settings.encoding ?? "utf-8", csvMark(settings), limits, {
    record(record) {
      const opened = writer ?? new CsvWriter(settings, columnsOf([record], settings));
      const text = (writer === undefined ? opened.header() : "") + opened.records([record], () => "");
      writer = opened;
      return text;
    },
    end: () =>
      writer !== undefined || settings.columns === undefined
        ? ""
        : new CsvWriter(settings, settings.columns).header(),
  });
}
