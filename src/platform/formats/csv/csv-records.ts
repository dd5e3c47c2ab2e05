import { parse } from "csv-parse/sync";
import type { DocumentObject, DocumentValue } from "../document.ts";
import type { FormatFaultCode } from "../fault.ts";
import type { CsvSettings } from "../settings.ts";
import type { CsvDialect } from "./csv-dialect.ts";

/** More faults are not kept: each place costs a walk through the document. */
export const FAULTS_MAX = 20;

/** What is wrong, by the record (0 is the first line that counts, so the header) and the cell. */
export interface CellFault {
  code: FormatFaultCode;
  message: string;
  record: number;
  cell: number;
}

/**
 * Cells of a CSV text, by csv-parse. The text has been cut by `cutRecords`, so nothing in it can be at fault any more.
 */
export function parseCells(text: string, dialect: CsvDialect): string[][] {
  return parse(text, {
    delimiter: dialect.delimiter,
    quote: dialect.quote,
    escape: dialect.escape,
    comment: dialect.comment ?? null,
    comment_no_infix: true,
    // Of the ones found first a file with mixed line breaks would lose cells.
    record_delimiter: ["\r\n", "\n", "\r"],
    relax_column_count: true,
    skip_empty_lines: dialect.skipsEmptyLines,
    trim: dialect.trim,
  });
}

/** Makes records of cells by the header's and the settings' rules; one for each document or stream. */
export class CsvRecords {
  readonly #settings: CsvSettings;
  #names: readonly string[] | undefined;
  /** Which cells of the header are members; undefined for all. */
  #kept: readonly boolean[] | undefined;
  #cellsExpected: number | undefined;
  #awaitsHeader: boolean;
  #record = -1;
  readonly faults: CellFault[] = [];

  constructor(settings: CsvSettings) {
    this.#settings = settings;
    this.#awaitsHeader = settings.header !== "absent";
    if (!this.#awaitsHeader) this.#useColumns(settings.columns);
  }

  /** Names of the columns once the header was read; undefined where records are arrays. */
  get names(): readonly string[] | undefined {
    return this.#names;
  }

  /** The record, or undefined for the header and where there is a fault in it. */
  add(cells: string[]): DocumentValue | undefined {
    this.#record++;
    if (this.#awaitsHeader) {
      this.#awaitsHeader = false;
      this.#readHeader(cells);
      return undefined;
    }
    this.#cellsExpected ??= cells.length;
    const expected = this.#cellsExpected;
    if (cells.length > expected || (cells.length < expected && this.#settings.shortRecords !== "fill")) {
      this.#fault(
        "wrong_cell_count",
        `The number of cells is ${cells.length}, not ${expected}`,
        Math.min(cells.length, expected),
      );
      return undefined;
    }
    if (this.#names === undefined) return cells;
    const record: DocumentObject = {};
    for (let index = 0; index < this.#names.length; index++) {
      if (this.#kept === undefined || this.#kept[index] === true)
        record[this.#names[index]!] = cells[index] ?? "";
    }
    return record;
  }

  /** To be called where the document ends: a header may be missing altogether. */
  end(): void {
    if (this.#awaitsHeader && this.#settings.columns !== undefined) {
      this.#record = 0;
      this.#fault("missing_column", "The document has no header", 0);
    }
  }

  #useColumns(names: readonly string[] | undefined): void {
    this.#names = names;
    this.#cellsExpected = names?.length;
    if (names?.includes("__proto__") === true) {
      this.#record = 0;
      this.#fault("reserved_name", "A column must not be called __proto__", 0);
    }
  }

  #readHeader(names: string[]): void {
    const { columns, extraColumns = "keep" } = this.#settings;
    const expected = columns === undefined ? undefined : new Set(columns);
    const seen = new Set<string>();
    for (const [cell, name] of names.entries()) {
      if (name === "") this.#fault("empty_header", "A column has no name", cell);
      else if (name === "__proto__")
        this.#fault("reserved_name", "A column must not be called __proto__", cell);
      else if (seen.has(name))
        this.#fault("duplicate_header", `The column ${JSON.stringify(name)} occurs twice`, cell);
      else if (expected !== undefined && extraColumns === "refuse" && !expected.has(name))
        this.#fault("unknown_column", `The column ${JSON.stringify(name)} is not expected`, cell);
      seen.add(name);
    }
    for (const name of columns ?? []) {
      if (!seen.has(name)) this.#fault("missing_column", `The column ${JSON.stringify(name)} is missing`, 0);
    }
    this.#names = names;
    this.#cellsExpected = names.length;
    if (expected !== undefined && extraColumns === "drop")
      this.#kept = names.map((name) => expected.has(name));
  }

  #fault(code: FormatFaultCode, message: string, cell: number): void {
    if (this.faults.length < FAULTS_MAX) this.faults.push({ code, message, record: this.#record, cell });
  }
}
