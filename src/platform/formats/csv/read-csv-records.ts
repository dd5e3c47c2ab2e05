import { decodeChunks, type Chunks } from "../decode-chunks.ts";
import { FormatError, type RecordOutcome } from "../fault.ts";
import type { FormatLimits } from "../limits.ts";
import type { CsvSettings } from "../settings.ts";
import { readMark } from "../source-text.ts";
import { faultInWindow, TextWindow } from "../text-window.ts";
import { csvDialect, type CsvDialect } from "./csv-dialect.ts";
import { CsvRecords, parseCells } from "./csv-records.ts";
import { cutRecords } from "./cut-records.ts";
import { indexOfCell } from "./parse-csv-document.ts";

/** Reads CSV record by record; memory is bounded by one record and one piece of the stream. */
export async function* readCsvRecords(
  chunks: Chunks,
  settings: CsvSettings,
  limits: FormatLimits,
): AsyncGenerator<RecordOutcome, void> {
  let window = new TextWindow("utf-8", 0);
  try {
    const decoded = await decodeChunks(
      chunks,
      (head) => readMark(head)?.encoding ?? settings.encoding ?? "utf-8",
    );
    window = new TextWindow(decoded.encoding, decoded.markBytes);
    const reader = new WindowReader(window, settings, limits);
    for await (const piece of decoded.pieces) {
      window.append(piece);
      yield* reader.read(false);
    }
    yield* reader.read(true);
    reader.end();
  } catch (error) {
    yield { ok: false, faults: [faultInWindow(error, window)] };
  }
}

/** Takes whole records out of a window. */
class WindowReader {
  readonly #window: TextWindow;
  readonly #limits: FormatLimits;
  readonly #dialect: CsvDialect;
  readonly #records: CsvRecords;
  #number = 0;

  constructor(window: TextWindow, settings: CsvSettings, limits: FormatLimits) {
    this.#window = window;
    this.#limits = limits;
    this.#dialect = csvDialect(settings);
    this.#records = new CsvRecords(settings);
  }

  /** @throws {FormatError} */
  *read(isLast: boolean): Generator<RecordOutcome, void> {
    const { from, text } = this.#window;
    const { starts, end, fault } = cutRecords(text, this.#dialect, isLast);
    const nul = text.indexOf("\u0000");
    const whole = text.slice(
      0,
      nul >= 0 && nul < end ? (starts.findLast((start) => start <= nul) ?? nul) : end,
    );
    const rows = parseCells(whole, this.#dialect);
    for (const [row, cells] of rows.entries()) {
      const start = starts[row]!;
      this.#checkSize((starts[row + 1] ?? end) - start, cells.length, from + start);
      const record = this.#records.add(cells);
      this.#window.moveTo(from + start);
      this.#checkFaults(text.slice(start, starts[row + 1] ?? end), from + start);
      if (record === undefined) continue;
      this.#number++;
      yield { ok: true, record, number: this.#number, place: this.#window.placeOf(from + start) };
    }
    if (nul >= 0)
      throw new FormatError({ code: "invalid_csv", message: "A NUL character is not text" }, from + nul);
    if (fault !== undefined)
      throw new FormatError({ code: "invalid_csv", message: fault.message }, from + fault.index);
    this.#window.moveTo(from + end);
    this.#checkSize(this.#window.text.length, 0, this.#window.from);
  }

  /** @throws {FormatError} */
  end(): void {
    this.#records.end();
    this.#checkFaults("", this.#window.from);
  }

  #checkSize(length: number, cells: number, index: number): void {
    if (length > this.#limits.bytesMax) {
      const message = `A record is longer than ${this.#limits.bytesMax} characters`;
      throw new FormatError({ code: "record_too_large", message }, index);
    }
    if (cells > this.#limits.valuesMax) {
      const message = `A record has more than ${this.#limits.valuesMax} cells`;
      throw new FormatError({ code: "too_many_values", message }, index);
    }
  }

  #checkFaults(recordText: string, index: number): void {
    const fault = this.#records.faults[0];
    if (fault === undefined) return;
    const { code, message, cell } = fault;
    throw new FormatError({ code, message }, index + (indexOfCell(recordText, this.#dialect, 0, cell) ?? 0));
  }
}
