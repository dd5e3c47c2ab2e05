import type { DocumentValue } from "../document.ts";
import type { FormatFault, ParseOutcome, Place } from "../fault.ts";
import { tooLarge, type FormatLimits } from "../limits.ts";
import { parsePointer } from "../pointer.ts";
import type { CsvSettings } from "../settings.ts";
import { decodeSource, placeAt, type SourceText } from "../source-text.ts";
import { csvDialect, type CsvDialect } from "./csv-dialect.ts";
import { CsvRecords, FAULTS_MAX, parseCells, type CellFault } from "./csv-records.ts";
import { cutRecords } from "./cut-records.ts";

/**
 * Reads CSV (RFC 4180 and the dialects of the settings) into an array of records: objects by the header, or arrays of
 * cells. Cells are strings; nothing is guessed of them.
 */
export function parseCsvDocument(
  bytes: Uint8Array,
  settings: CsvSettings,
  limits: FormatLimits,
): ParseOutcome {
  if (bytes.byteLength > limits.bytesMax) return { ok: false, faults: [tooLarge(bytes.byteLength, limits)] };
  const decoded = decodeSource(bytes, settings.encoding);
  if (!decoded.ok) return decoded;
  const { source } = decoded;
  const dialect = csvDialect(settings);
  const fault = findTextFault(source.text, dialect, limits);
  if (fault !== undefined)
    return { ok: false, faults: [{ ...fault.fault, ...placeAt(source, fault.index) }] };

  const records = new CsvRecords(settings);
  const document: DocumentValue[] = [];
  for (const cells of parseCells(source.text, dialect)) {
    const record = records.add(cells);
    if (record !== undefined) document.push(record);
    if (records.faults.length >= FAULTS_MAX) break;
  }
  records.end();
  const headers = settings.header === "absent" ? 0 : 1;
  if (records.faults.length > 0) {
    return {
      ok: false,
      faults: records.faults.map((cellFault) => placeFault(source, dialect, cellFault, headers)),
    };
  }
  return {
    ok: true,
    document,
    place: (pointer) => findPlace(source, dialect, pointer, headers, document.length, records.names),
  };
}

/** What makes a text no CSV, or too much of it. */
export function findTextFault(
  text: string,
  dialect: CsvDialect,
  limits: FormatLimits,
): { fault: FormatFault; index: number } | undefined {
  const nul = text.indexOf("\u0000");
  if (nul >= 0) return { fault: { code: "invalid_csv", message: "A NUL character is not text" }, index: nul };
  let cells = 0;
  let limitAt = -1;
  const { fault } = cutRecords(text, dialect, true, (_record, _cell, index) => {
    cells++;
    if (cells === limits.valuesMax + 1) limitAt = index;
  });
  if (fault !== undefined)
    return { fault: { code: "invalid_csv", message: fault.message }, index: fault.index };
  if (limitAt < 0) return undefined;
  const message = `The document has more than ${limits.valuesMax} cells`;
  return { fault: { code: "too_many_values", message }, index: limitAt };
}

function placeFault(source: SourceText, dialect: CsvDialect, fault: CellFault, headers: number): FormatFault {
  const { code, message, record, cell } = fault;
  const place = placeAt(source, indexOfCell(source.text, dialect, record, cell) ?? source.text.length);
  return { code, message, ...(record >= headers ? { pointer: `/${record - headers}` } : {}), ...place };
}

/** Index of a cell; of the record's end where it has not as many. */
export function indexOfCell(
  text: string,
  dialect: CsvDialect,
  record: number,
  cell: number,
): number | undefined {
  let found: number | undefined;
  let isInside = false;
  const cut = cutRecords(text, dialect, true, (at, number, index) => {
    if (at !== record) return;
    isInside = true;
    if (number === cell) found = index;
  });
  if (found !== undefined || !isInside) return found;
  let end = cut.starts[record + 1] ?? cut.end;
  while (text[end - 1] === "\n" || text[end - 1] === "\r") end--;
  return end;
}

function findPlace(
  source: SourceText,
  dialect: CsvDialect,
  pointer: string,
  headers: number,
  count: number,
  names: readonly string[] | undefined,
): Place | undefined {
  const tokens = parsePointer(pointer);
  if (tokens === undefined || tokens.length > 2) return undefined;
  const [record, member] = tokens;
  if (record === undefined) return placeAt(source, 0);
  if (!/^(?:0|[1-9]\d*)$/.test(record) || Number(record) >= count) return undefined;
  const cell = member === undefined ? 0 : cellOf(member, names);
  const index = cell < 0 ? undefined : indexOfCell(source.text, dialect, Number(record) + headers, cell);
  return index === undefined ? undefined : placeAt(source, index);
}

function cellOf(member: string, names: readonly string[] | undefined): number {
  if (names !== undefined) return names.indexOf(member);
  return /^(?:0|[1-9]\d*)$/.test(member) ? Number(member) : -1;
}
