import { decodeAnswer } from "./decode-answer.ts";
import type { Progress } from "./progress.ts";
import type { AnswerSink } from "./response-parser.ts";

/** Bytes beyond those kept that are read and dropped, so that the connection can be used again. */
const DRAINED_BYTES_MAX = 256 * 1024;
/** A kept connection is given up this long before the receiver does. */
const KEEP_ALIVE_MARGIN_MS = 1_000;
const KEEP_ALIVE_MAX_MS = 60_000;

/** An answer read into memory up to a bound. */
export class BufferedAnswer implements AnswerSink {
  status = 0;
  headers = new Headers();
  /** Ends the exchange; set by the sender. */
  stop: (() => void) | undefined;
  /** There is more than was worth reading; the exchange was stopped. */
  isCut = false;
  readonly #keptMax: number;
  readonly #progress: Progress;
  readonly #chunks: Uint8Array[] = [];
  #kept = 0;
  #size = 0;

  constructor(keptMax: number, progress: Progress) {
    this.#keptMax = keptMax;
    this.#progress = progress;
  }

  onHead(status: number, headers: Headers): void {
    this.status = status;
    this.headers = headers;
    this.#progress.status = status;
  }

  onBody(bytes: Uint8Array): void {
    this.#size += bytes.byteLength;
    const room = this.#keptMax - this.#kept;
    if (room > 0) {
      const chunk = bytes.slice(0, room);
      this.#chunks.push(chunk);
      this.#kept += chunk.byteLength;
    } else if (this.#size > this.#keptMax + DRAINED_BYTES_MAX && !this.isCut) {
      this.isCut = true;
      this.stop?.();
    }
  }

  /** How long the receiver keeps an idle connection, less a margin; undefined when it does not say. */
  get keepAliveMs(): number | undefined {
    const seconds = /(?:^|[\s,;])timeout=(\d{1,6})/i.exec(this.headers.get("keep-alive") ?? "")?.[1];
    if (seconds === undefined) return undefined;
    return Math.min(KEEP_ALIVE_MAX_MS, Math.max(0, Number(seconds) * 1000 - KEEP_ALIVE_MARGIN_MS));
  }

  /**
   * The answer with its body decoded.
   *
   * @throws AnswerError `response_too_large` for an encoded body that expands without end
   */
  async read(
    keptMax: number,
  ): Promise<{ status: number; headers: Headers; body: Uint8Array; bodyTruncated: boolean }> {
    const { status, headers } = this;
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    const bodyTruncated = this.#size > this.#kept;
    const encoding = headers.get("content-encoding");
    if (encoding === null || bytes.byteLength === 0) return { status, headers, body: bytes, bodyTruncated };
    const { body, cut } = await decodeAnswer(bytes, encoding, keptMax);
    return { status, headers, body, bodyTruncated: bodyTruncated || cut };
  }
}
