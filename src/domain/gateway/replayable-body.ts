import type { BodySource } from "../../platform/egress/streamed-exchange.ts";

/** Bytes of a body that are remembered for another try; a longer one is sent once. */
export const REPEATABLE_BYTES_MAX = 256 * 1024;

/**
 * The caller's body on its way to the provider. Its beginning is kept: for another try, as long as it is short enough,
 * and for the log.
 */
export class ReplayableBody implements BodySource {
  readonly bytes: number | undefined;
  /** Bytes that have come so far. */
  size = 0;
  readonly #reader: { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }> };
  readonly #loggedMax: number;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  /** Everything that came is in `#kept`. */
  #isWhole = true;
  /** Next of the kept pieces that the pass gives out. */
  #at = 0;
  /** Raised by each rewind. */
  #pass = 0;
  #isAtEnd = false;
  #reading: Promise<Uint8Array | undefined> | undefined;

  /**
   * @param bytes declared length, undefined for a chunked body
   * @param loggedMax bytes of its beginning that the log wants
   */
  constructor(stream: ReadableStream<Uint8Array>, bytes: number | undefined, loggedMax: number) {
    this.bytes = bytes;
    this.#reader = stream.getReader();
    this.#loggedMax = loggedMax;
  }

  async read(): Promise<Uint8Array | undefined> {
    const pass = this.#pass;
    for (;;) {
      if (this.#isWhole && this.#at < this.#kept.length) return this.#kept[this.#at++];
      if (this.#isAtEnd) return undefined;
      // An earlier pass may still wait for the next piece: it is read once, and belongs to the latest pass.
      this.#reading ??= this.#readNext().finally(() => (this.#reading = undefined));
      // oxlint-disable-next-line no-await-in-loop -- one piece after the other
      const piece = await this.#reading;
      if (pass !== this.#pass) return undefined;
      if (!this.#isWhole) return piece;
    }
  }

  rewind(): boolean {
    if (!this.#isWhole) return false;
    this.#at = 0;
    this.#pass++;
    return true;
  }

  /** What came so far, as much of it as was kept. */
  beginning(): Uint8Array {
    return this.#kept.length === 1 ? this.#kept[0]! : Buffer.concat(this.#kept);
  }

  async #readNext(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#reader.read();
    if (done || value === undefined) {
      this.#isAtEnd = true;
      return undefined;
    }
    this.size += value.byteLength;
    const isBehind = this.#at < this.#kept.length;
    if (this.#isWhole && (isBehind || this.#keptBytes + value.byteLength <= REPEATABLE_BYTES_MAX)) {
      this.#kept.push(value);
      this.#keptBytes += value.byteLength;
    } else if (this.#isWhole) {
      this.#isWhole = false;
      const beginning = Buffer.concat([...this.#kept, value.subarray(0, this.#loggedMax)]);
      this.#kept = [Buffer.from(beginning.subarray(0, this.#loggedMax))];
    }
    return value;
  }
}
