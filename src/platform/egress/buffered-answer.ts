import { AnswerHeaders } from "./answer-headers.ts";
import { decodeAnswer } from "./decode-answer.ts";
import type { ReadAnswer } from "./exchange.ts";
import type { Progress } from "./progress.ts";
import type { AnswerSink } from "./response-parser.ts";

/** Bytes beyond those kept that are read and dropped, so that the connection can be used again. */
const DRAINED_BYTES_MAX = 256 * 1024;
/** A kept connection is given up this long before the receiver does. */
const KEEP_ALIVE_MARGIN_MS = 1_000;
const KEEP_ALIVE_MAX_MS = 60_000;
const TIMEOUT = /(?:^|[\s,;])timeout=(\d{1,6})/i;
const NOTHING = new Uint8Array(0);

const NO_HEADERS = new AnswerHeaders();

/** An answer read into memory up to a bound. */
export class BufferedAnswer implements AnswerSink {
  status = 0;
  headers = NO_HEADERS;
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

  onHead(status: number, headers: AnswerHeaders): void {
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

  get keepAliveMs(): number | undefined {
    return keepAliveOf(this.headers);
  }

  /**
   * The answer with its body decoded; at once where nothing is to be decoded.
   *
   * @throws AnswerError `response_too_large` for an encoded body that expands without end
   */
  read(keptMax: number): ReadAnswer | Promise<ReadAnswer> {
    const { status, headers } = this;
    const bytes = joined(this.#chunks);
    const bodyTruncated = this.#size > this.#kept;
    const encoding = headers.get("content-encoding");
    const answer = { status, headers, body: bytes, bodyTruncated };
    if (encoding === null || bytes.byteLength === 0) return answer;
    return decodeAnswer(bytes, encoding, keptMax).then(({ body, cut }) => ({
      ...answer,
      body,
      bodyTruncated: bodyTruncated || cut,
    }));
  }
}

/** How long the receiver keeps an idle connection, less a margin; undefined when it does not say. */
export function keepAliveOf(headers: AnswerHeaders): number | undefined {
  const keepAlive = headers.get("keep-alive");
  const seconds = keepAlive === null ? undefined : TIMEOUT.exec(keepAlive)?.[1];
  if (seconds === undefined) return undefined;
  return Math.min(KEEP_ALIVE_MAX_MS, Math.max(0, Number(seconds) * 1000 - KEEP_ALIVE_MARGIN_MS));
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 0) return NOTHING;
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}
