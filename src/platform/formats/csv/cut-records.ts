import type { CsvDialect } from "./csv-dialect.ts";

/** Where records stand in a text, without their values. */
export interface RecordCut {
  /** Index of each whole record's first character. */
  starts: number[];
  /** Index behind the last whole record; the rest is incomplete, or at fault. */
  end: number;
  fault?: { message: string; index: number };
}

/** What csv-parse trims. */
const TRIMMED = /[ \t\n\r\f\v\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF]/;

/**
 * Finds the records of a CSV text: for cutting a stream between records, and for the places of records, cells and wrong
 * quotes, which csv-parse does not tell (its line numbers count a CR LF inside quotes twice).
 *
 * @param isLast whether the text ends the document; otherwise a record without a line break is not whole, and a last CR
 *   may be half of a line break
 * @param onCell called with each cell's record (0 is the first in the text), number and index
 */
export function cutRecords(
  text: string,
  dialect: CsvDialect,
  isLast: boolean,
  onCell?: (record: number, cell: number, index: number) => void,
): RecordCut {
  const cut: RecordCut = { starts: [], end: 0 };
  const scanner = new CellScanner(text, dialect);
  while (scanner.at < text.length) {
    const start = scanner.at;
    if (scanner.skipsLine()) {
      if (!scanner.sawBreak && !isLast) break;
      cut.end = scanner.at;
      continue;
    }
    for (let cell = 0; ; cell++) {
      onCell?.(cut.starts.length, cell, scanner.at);
      scanner.passCell();
      if (scanner.fault !== undefined) break;
      if (!scanner.passDelimiter()) break;
    }
    if (scanner.fault !== undefined) {
      // An open quote may be closed by what follows.
      if (scanner.isOpen && !isLast) break;
      cut.fault = scanner.fault;
      break;
    }
    const hasBreak = scanner.passLineBreak();
    if (!isLast && (!hasBreak || (scanner.at === text.length && text.endsWith("\r")))) break;
    cut.starts.push(start);
    cut.end = scanner.at;
  }
  return cut;
}

class CellScanner {
  readonly #text: string;
  readonly #dialect: CsvDialect;
  at = 0;
  fault: RecordCut["fault"];
  /** The fault is a quote that the text does not close. */
  isOpen = false;
  sawBreak = false;

  constructor(text: string, dialect: CsvDialect) {
    this.#text = text;
    this.#dialect = dialect;
  }

  /** Passes an empty line or a comment. */
  skipsLine(): boolean {
    const character = this.#text[this.at];
    const isEmpty = this.#dialect.skipsEmptyLines && (character === "\n" || character === "\r");
    if (!isEmpty && (this.#dialect.comment === undefined || character !== this.#dialect.comment))
      return false;
    while (this.at < this.#text.length && !this.#isAtBreak()) this.at++;
    this.sawBreak = this.passLineBreak() && !(this.at === this.#text.length && this.#text.endsWith("\r"));
    return true;
  }

  passCell(): void {
    const { quote, delimiter } = this.#dialect;
    const text = this.#text;
    this.#passTrimmed();
    if (text[this.at] === quote) {
      this.#passQuoted();
      return;
    }
    while (this.at < text.length) {
      const character = text[this.at]!;
      if (character === delimiter || character === "\n" || character === "\r") return;
      if (character === quote) {
        this.fault = { message: "A quote stands inside a cell that does not begin with one", index: this.at };
        return;
      }
      this.at++;
    }
  }

  passDelimiter(): boolean {
    if (this.#text[this.at] !== this.#dialect.delimiter) return false;
    this.at++;
    return true;
  }

  passLineBreak(): boolean {
    if (!this.#isAtBreak()) return false;
    this.at += this.#text[this.at] === "\r" && this.#text[this.at + 1] === "\n" ? 2 : 1;
    return true;
  }

  #passQuoted(): void {
    const { quote, escape, delimiter, comment } = this.#dialect;
    const text = this.#text;
    const opening = this.at;
    this.at++;
    for (;;) {
      const character = text[this.at];
      if (character === undefined) {
        this.fault = { message: "A quote is not closed", index: opening };
        this.isOpen = true;
        return;
      }
      const isEscape = character === escape && (escape !== quote || text[this.at + 1] === quote);
      if (isEscape) this.at++;
      else if (character === quote) break;
      this.at++;
    }
    this.at++;
    this.#passTrimmed();
    const next = text[this.at];
    if (next === undefined || next === delimiter || this.#isAtBreak() || next === comment) return;
    this.fault = { message: "A closed quote is followed by something else than a delimiter", index: this.at };
  }

  #passTrimmed(): void {
    if (!this.#dialect.trim) return;
    for (;;) {
      const character = this.#text[this.at];
      if (character === undefined || character === this.#dialect.delimiter || this.#isAtBreak()) return;
      if (!TRIMMED.test(character)) return;
      this.at++;
    }
  }

  #isAtBreak(): boolean {
    const character = this.#text[this.at];
    return character === "\n" || character === "\r";
  }
}
