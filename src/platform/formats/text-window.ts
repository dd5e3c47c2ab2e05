import { BrokenBytes } from "./decode-chunks.ts";
import { FormatError, type FormatFault, type Place } from "./fault.ts";
import { brokenBytes, encodedLength, measureText, type SourceEncoding } from "./source-text.ts";

/**
 * The part of a stream's text that may still be asked for. Indexes are those of the whole text; places are counted on
 * from the window's beginning, so each character is measured once when the window moves over it.
 */
export class TextWindow {
  readonly encoding: SourceEncoding;
  #start: Place;
  #from = 0;
  text = "";

  constructor(encoding: SourceEncoding, markBytes: number) {
    this.encoding = encoding;
    this.#start = { line: 1, column: 1, offset: markBytes };
  }

  /** Index of the window's first character in the whole text. */
  get from(): number {
    return this.#from;
  }

  append(text: string): void {
    this.text = this.text === "" ? text : this.text + text;
  }

  /** Moves the beginning of the window up to an index; must not stand between CR and LF. */
  moveTo(index: number): void {
    const length = index - this.#from;
    if (length <= 0) return;
    this.#start = this.placeOf(index);
    this.#from = index;
    this.text = this.text.slice(length);
  }

  /** Place of an index inside the window; of its beginning for one that has gone by. */
  placeOf(index: number): Place {
    const passed = this.text.slice(0, Math.max(0, index - this.#from));
    const { lines, columns } = measureText(passed);
    return {
      line: this.#start.line + lines,
      column: lines === 0 ? this.#start.column + columns : 1 + columns,
      offset: this.#start.offset + encodedLength(passed, this.encoding),
    };
  }
}

/**
 * The fault of a stream.
 *
 * @throws what is no fault of the document, so a failing source stays the caller's
 */
export function faultInWindow(error: unknown, window: TextWindow): FormatFault {
  if (error instanceof BrokenBytes) {
    window.append(error.before);
    return brokenBytes(window.encoding, window.placeOf(window.from + window.text.length));
  }
  if (error instanceof FormatError) return { ...error.fault, ...window.placeOf(error.index) };
  throw error;
}
