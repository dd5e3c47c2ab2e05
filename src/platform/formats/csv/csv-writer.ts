import { stringify } from "csv-stringify/sync";
import { ExactNumber, isDocumentObject, type DocumentObject } from "../document.ts";
import { findUnencodable } from "../encode-text.ts";
import { FormatError, type FormatFaultCode } from "../fault.ts";
import { appendPointer } from "../pointer.ts";
import type { CsvSettings } from "../settings.ts";
import { csvDialect } from "./csv-dialect.ts";

/** What a spreadsheet takes for the beginning of a formula, also in the wide forms (OWASP, "CSV Injection"). */
const FORMULA = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;
const PLAIN_NUMBER = /^[+-]?\d+(?:\.\d+)?$/;

/** Writes records as CSV, a record a line; what CSV has no form for is refused with the value's pointer. */
export class CsvWriter {
  readonly #settings: CsvSettings;
  readonly #names: readonly string[] | undefined;
  readonly #known: ReadonlySet<string>;
  readonly #options: NonNullable<Parameters<typeof stringify>[1]>;
  #cellsExpected: number | undefined;

  /**
   * @param names columns in their order; undefined writes records that are arrays, without a header
   * @throws {FormatError}
   */
  constructor(settings: CsvSettings, names: readonly string[] | undefined) {
    this.#settings = settings;
    this.#names = names;
    this.#known = new Set(names);
    this.#cellsExpected = names?.length;
    for (const name of names ?? []) {
      if (name === "") refuse("empty_header", "A column has no name", "");
      if (name === "__proto__") refuse("reserved_name", "A column must not be called __proto__", "");
    }
    const { delimiter, quote, escape, comment } = csvDialect(settings);
    this.#options = {
      delimiter,
      quote,
      escape,
      quoted: settings.quoting === "all",
      // An empty line is no record to a reader that skips empty lines.
      quoted_empty: settings.quoting === "all" || names?.length === 1 || names === undefined,
      // Any line break, space that a reader may trim, a mark that it would take for the encoding's, and comments.
      quoted_match: [/^[\s\uFEFF]|[\r\n]|\s$/, ...(comment === undefined ? [] : [comment])],
      record_delimiter: settings.newline ?? "\r\n",
    };
  }

  header(): string {
    if (this.#names === undefined || this.#settings.header === "absent") return "";
    return this.#write([this.#names.map((name) => this.#cell(name, ""))], ["/header"]);
  }

  /** Lines of some records. */
  records(records: readonly unknown[], pointerOf: (index: number) => string): string {
    if (records.length === 0) return "";
    const pointers = records.map((_, index) => pointerOf(index));
    return this.#write(
      records.map((record, index) => this.#row(record, pointers[index]!)),
      pointers,
    );
  }

  #row(record: unknown, pointer: string): string[] {
    if (Array.isArray(record)) {
      this.#cellsExpected ??= record.length;
      const isShort = record.length < this.#cellsExpected && this.#settings.shortRecords === "fill";
      if (record.length === 0 || (record.length !== this.#cellsExpected && !isShort)) {
        refuse(
          "wrong_cell_count",
          `The number of cells is ${record.length}, not ${this.#cellsExpected}`,
          pointer,
        );
      }
      return record.map((cell: unknown, index) => this.#cell(cell, appendPointer(pointer, index)));
    }
    const names = this.#names;
    if (!isDocumentObject(record) || names === undefined) {
      return refuse(
        "unwritable_value",
        "The records of CSV are all objects, or all arrays of cells",
        pointer,
      );
    }
    this.#checkMembers(record, pointer);
    return names.map((name) =>
      Object.hasOwn(record, name) ? this.#cell(record[name], appendPointer(pointer, name)) : "",
    );
  }

  #checkMembers(record: DocumentObject, pointer: string): void {
    if (this.#settings.extraColumns === "drop") return;
    for (const name of Object.keys(record)) {
      if (this.#known.has(name)) continue;
      refuse("unknown_column", `There is no column ${JSON.stringify(name)}`, appendPointer(pointer, name));
    }
  }

  #cell(value: unknown, pointer: string): string {
    switch (typeof value) {
      case "string":
        if (value.includes("\u0000")) refuse("unwritable_text", "A NUL character is not text", pointer);
        return this.#settings.formulas === "escape" && FORMULA.test(value) && !PLAIN_NUMBER.test(value)
          ? `'${value}`
          : value;
      case "number":
        if (Number.isFinite(value)) return String(value);
        break;
      case "boolean":
        return String(value);
      case "undefined":
        return "";
      case "object":
        if (value === null) return "";
        if (value instanceof ExactNumber) return value.text;
    }
    return refuse("unwritable_value", "A cell is a text, a number, a boolean or null", pointer);
  }

  #write(rows: string[][], pointers: readonly string[]): string {
    const text = stringify(rows, this.#options);
    const { encoding = "utf-8" } = this.#settings;
    if (findUnencodable(text, encoding) === undefined) return text;
    for (const [index, row] of rows.entries()) {
      if (findUnencodable(row.join(""), encoding) === undefined) continue;
      refuse(
        "unwritable_text",
        `A cell holds a character that ${encoding.toUpperCase()} does not have`,
        pointers[index]!,
      );
    }
    return refuse(
      "unwritable_text",
      `The dialect has a character that ${encoding.toUpperCase()} does not have`,
      "",
    );
  }
}

/** Columns of a document: those of the settings, then others in the order in which they first occur. */
export function columnsOf(records: readonly unknown[], settings: CsvSettings): readonly string[] | undefined {
  const isArrays = Array.isArray(records[0]);
  if (isArrays && settings.columns === undefined) {
    if (settings.header === "absent") return undefined;
    refuse(
      "unwritable_value",
      "Records that are arrays need columns in the settings, or to be without a header",
      "/0",
    );
  }
  const names = new Set(settings.columns);
  if (
    settings.columns !== undefined &&
    (isArrays || settings.extraColumns === "drop" || settings.extraColumns === "refuse")
  ) {
    return [...names];
  }
  for (const record of records) {
    if (isDocumentObject(record)) for (const name of Object.keys(record)) names.add(name);
  }
  if (names.size === 0 && records.length > 0) refuse("unwritable_value", "The records have no members", "/0");
  return [...names];
}

function refuse(code: FormatFaultCode, message: string, pointer: string): never {
  throw new FormatError({ code, message, pointer }, -1);
}
