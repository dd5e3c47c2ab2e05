import type { EgressPolicy } from "./address-policy.ts";
import type { AnswerHeaders } from "./answer-headers.ts";
import type { EgressResult, EgressTimings } from "./exchange.ts";
import type { Progress } from "./progress.ts";
import type { AnswerSink } from "./response-parser.ts";
import { keepAliveOf } from "./buffered-answer.ts";

/** A request body that is passed on as it comes. */
export interface BodySource {
  /** Bytes in all; undefined when nobody knows, and it is sent in chunked coding. */
  readonly bytes: number | undefined;
  /** The next piece, undefined at the end. @throws when whoever sends it broke off */
  read(): Promise<Uint8Array | undefined>;
  /** Begins again. @returns false when what was read is no longer there */
  rewind(): boolean;
}

/** One HTTP request out whose bodies are not held in memory. */
export interface StreamRequest {
  url: string;
  policy: EgressPolicy;
  method: string;
  /** As in `EgressRequest`. */
  headers: Readonly<Record<string, string>>;
  body?: Uint8Array | BodySource;
  /** Time for the whole exchange, the answer's body included. */
  timeoutMs: number;
  /** The receiver can tell a repetition, or the method repeats safely: see `EgressRequest`. */
  repeatable: boolean;
  /** The exchange is given up when it fires. */
  signal?: AbortSignal | undefined;
}

/** How an exchange failed; `status` is that of an answer begun. */
export type StreamFailure = Extract<EgressResult, { kind: "refused" | "timeout" | "error" }>;

/** An answer whose head has come, or why none did. */
export type StreamResult = { kind: "answer"; answer: StreamedAnswer } | StreamFailure;

/** Bytes of an answer that wait for their reader before the sender is held up. */
const HIGH_WATER_BYTES = 256 * 1024;
/** Below this the sender may go on. */
const LOW_WATER_BYTES = 64 * 1024;

/** The bytes of an answer that broke off were not all. */
export class BrokenAnswer extends Error {
  readonly failure: StreamFailure;

  constructor(failure: StreamFailure) {
    super(failure.message);
    this.name = "BrokenAnswer";
    this.failure = failure;
  }
}

/** An answer that is read while it comes; its body is as the receiver sent it, not decoded. */
export class StreamedAnswer implements AnswerSink {
  status = 0;
  headers!: AnswerHeaders;
  /** Resolves with the head, or with why there is none. */
  readonly opened: Promise<StreamResult>;
  /** Resolves when all has come (undefined) or nothing more will. */
  readonly ended: Promise<StreamFailure | undefined>;
  /** Bytes of the body that have come. */
  size = 0;
  /** Slows the receiver down, and lets it go on; set by the sender. */
  flow: { pause(): void; resume(): void } | undefined;
  readonly #progress: Progress;
  readonly #open: (result: StreamResult) => void;
  readonly #end: (failure: StreamFailure | undefined) => void;
  readonly #chunks: Uint8Array[] = [];
  #queuedBytes = 0;
  #isPaused = false;
  #isOver = false;
  #failure: StreamFailure | undefined;
  #wake: (() => void) | undefined;

  constructor(progress: Progress) {
    this.#progress = progress;
    const opened = Promise.withResolvers<StreamResult>();
    const ended = Promise.withResolvers<StreamFailure | undefined>();
    this.opened = opened.promise;
    this.ended = ended.promise;
    this.#open = opened.resolve;
    this.#end = ended.resolve;
  }

  onHead(status: number, headers: AnswerHeaders): void {
    this.status = status;
    this.headers = headers;
    this.#progress.status = status;
    this.#open({ kind: "answer", answer: this });
  }

  onBody(bytes: Uint8Array): void {
    this.size += bytes.byteLength;
    this.#chunks.push(bytes.slice());
    this.#queuedBytes += bytes.byteLength;
    if (!this.#isPaused && this.#queuedBytes > HIGH_WATER_BYTES) {
      this.#isPaused = true;
      this.flow?.pause();
    }
    this.#tell();
  }

  /** Where the time went so far. */
  get timings(): EgressTimings {
    return { ...this.#progress.timings, totalMs: this.#progress.elapsedMs() };
  }

  get keepAliveMs(): number | undefined {
    return keepAliveOf(this.headers);
  }

  /** All bytes have come. */
  get isComplete(): boolean {
    return this.#isOver && this.#failure === undefined;
  }

  /** It broke off, or was given up. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * The next piece, undefined at the end. One reader at a time.
   *
   * @throws BrokenAnswer when it breaks off
   */
  async read(): Promise<Uint8Array | undefined> {
    while (this.#chunks.length === 0 && !this.#isOver) await this.#more();
    const chunk = this.#chunks.shift();
    if (chunk === undefined) {
      if (this.#failure !== undefined) throw new BrokenAnswer(this.#failure);
      return undefined;
    }
    this.#queuedBytes -= chunk.byteLength;
    if (this.#isPaused && this.#queuedBytes < LOW_WATER_BYTES) {
      this.#isPaused = false;
      this.flow?.resume();
    }
    return chunk;
  }

  /**
   * Waits for the first bytes of the body without taking them.
   *
   * @returns `bytesMax` bytes at most, and fewer only when there are no more
   */
  async peek(bytesMax: number): Promise<Uint8Array> {
    while (this.#queuedBytes < bytesMax && !this.#isOver) await this.#more();
    const [first] = this.#chunks;
    const bytes = this.#chunks.length === 1 ? first! : Buffer.concat(this.#chunks);
    return bytes.byteLength > bytesMax ? bytes.subarray(0, bytesMax) : bytes;
  }

  /** Nothing more is wanted; the exchange ends at once. */
  cancel(): void {
    if (this.#isOver) return;
    this.finish(this.#progress.error("aborted", "The exchange was given up") as StreamFailure);
    this.#progress.giveUp();
  }

  /** The exchange is over; only the first call counts. */
  finish(failure: StreamFailure | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = failure;
    if (failure === undefined) this.#progress.end();
    else this.#open(failure);
    this.#end(failure);
    this.#tell();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #tell(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
