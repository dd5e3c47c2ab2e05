import { AnswerHeaders } from "./answer-headers.ts";
import type { EgressErrorCode } from "./exchange.ts";

/** What an answer gives, piece by piece. */
export interface AnswerSink {
  /** The final head; interim answers (1xx) are not shown. */
  onHead(status: number, headers: AnswerHeaders): void;
  /** Bytes of the body, only valid during the call. */
  onBody(bytes: Uint8Array): void;
}

/** The answer breaks HTTP or a bound; its connection cannot be used any more. */
export class AnswerError extends Error {
  readonly code: EgressErrorCode;

  constructor(code: EgressErrorCode, message: string) {
    super(message);
    this.name = "AnswerError";
    this.code = code;
  }
}

/** Bytes of status line and headers, interim answers included: eight times what common servers send at most. */
const HEAD_BYTES_MAX = 64 * 1024;
const HEADERS_MAX = 256;
/** Interim answers before the final one. */
const INTERIM_MAX = 8;
/** One line of chunked coding, and all trailer lines together. */
const LINE_BYTES_MAX = 4 * 1024;
const TRAILER_BYTES_MAX = 16 * 1024;

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [^\0\r]*)?$/;
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const FIELD_CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;
const CONTENT_LENGTH = /^\d{1,15}$/;
const CHUNK_LINE = /^([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?$/;
const LF = 10;

type State = "head" | "length" | "close" | "chunkSize" | "chunkData" | "chunkEnd" | "trailer" | "done";

/**
 * Reads one HTTP/1.1 answer (RFC 9112) from bytes as they come. Whatever could be read in two ways (two lengths, a
 * length and chunks, folded headers) is refused; a bare line feed ends a line, as section 2.2 allows.
 */
export class ResponseParser {
  readonly #sink: AnswerSink;
  readonly #isHead: boolean;
  #state: State = "head";
  #head: Buffer | undefined;
  #headBytes = 0;
  #interim = 0;
  #line = "";
  #trailerBytes = 0;
  /** Bytes of the body or chunk that are still to come. */
  #remaining = 0;
  #keepAlive = true;
  #started = false;

  constructor(method: string, sink: AnswerSink) {
    this.#isHead = method === "HEAD";
    this.#sink = sink;
  }

  /** Any byte has come. */
  get started(): boolean {
    return this.#started;
  }

  /** The connection can be used again once the answer is complete. */
  get keepAlive(): boolean {
    return this.#keepAlive;
  }

  /**
   * @returns -1 while the answer is incomplete, else the number of these bytes that belong to it
   * @throws AnswerError
   */
  push(bytes: Buffer): number {
    if (bytes.byteLength === 0) return this.#state === "done" ? 0 : -1;
    this.#started = true;
    let at = 0;
    while (at < bytes.byteLength && this.#state !== "done") {
      if (this.#state === "head") at = this.#readHead(bytes, at);
      else if (this.#state === "length" || this.#state === "chunkData") at = this.#readData(bytes, at);
      else if (this.#state === "close") {
        this.#sink.onBody(bytes.subarray(at));
        at = bytes.byteLength;
      } else at = this.#readLine(bytes, at);
    }
    return this.#state === "done" ? at : -1;
  }

  /** The other side closed. @returns true when that ends the answer in order */
  end(): boolean {
    if (this.#state === "close") this.#state = "done";
    return this.#state === "done";
  }

  #readHead(bytes: Buffer, from: number): number {
    // The common case: the whole head in one piece.
    if (this.#head === undefined) {
      const end = endOfHead(bytes, from);
      if (end >= 0) {
        this.#checkHeadBytes(end - from);
        this.#takeHead(bytes.toString("latin1", from, end));
        return end;
      }
    }
    const before = this.#headBytes;
    const piece = bytes.subarray(from, Math.min(bytes.byteLength, from + HEAD_BYTES_MAX + 1 - before));
    this.#append(piece);
    const end = endOfHead(this.#head!.subarray(0, this.#headBytes), Math.max(0, before - 3));
    if (end < 0) {
      this.#checkHeadBytes(this.#headBytes);
      return bytes.byteLength;
    }
    const text = this.#head!.toString("latin1", 0, end);
    this.#head = undefined;
    this.#headBytes = 0;
    this.#takeHead(text);
    return from + (end - before);
  }

  #append(piece: Buffer): void {
    const size = this.#headBytes + piece.byteLength;
    if (this.#head === undefined || size > this.#head.byteLength) {
      const grown = Buffer.allocUnsafe(Math.max(4096, size * 2));
      this.#head?.copy(grown, 0, 0, this.#headBytes);
      this.#head = grown;
    }
    piece.copy(this.#head, this.#headBytes);
    this.#headBytes = size;
  }

  #checkHeadBytes(size: number): void {
    if (size <= HEAD_BYTES_MAX) return;
    throw new AnswerError("response_headers_too_large", `The headers have more than ${HEAD_BYTES_MAX} bytes`);
  }

  #takeHead(text: string): void {
    const lines = text.split("\n");
    const statusLine = STATUS_LINE.exec(withoutCr(lines[0]!));
    if (statusLine === null) throw malformed("The answer is no HTTP/1.1");
    const status = Number(statusLine[2]);
    const headers = readFields(lines);
    if (status < 200) {
      if (status === 101) throw malformed("The answer switches protocols");
      if (++this.#interim > INTERIM_MAX) throw malformed("Too many interim answers");
      return;
    }
    this.#chooseFraming(status, headers, statusLine[1] === "1");
    this.#sink.onHead(status, headers);
  }

  /** RFC 9112 section 6.3. */
  #chooseFraming(status: number, headers: AnswerHeaders, isVersion11: boolean): void {
    const connection = headers.get("connection")?.toLowerCase() ?? "";
    this.#keepAlive = isVersion11 ? !connection.includes("close") : connection.includes("keep-alive");
    const coding = headers.get("transfer-encoding");
    const length = headers.get("content-length");
    if (this.#isHead || status === 204 || status === 304) {
      this.#state = "done";
    } else if (coding !== null) {
      if (length !== null) throw malformed("The answer has both a length and a transfer coding");
      if (coding.trim().toLowerCase() !== "chunked") throw malformed("The transfer coding is not chunked");
      this.#state = "chunkSize";
    } else if (length !== null) {
      // Equal lengths that were given twice are joined by a comma.
      const values = new Set(length.split(",").map((value) => value.trim()));
      const [value] = values;
      if (values.size !== 1 || !CONTENT_LENGTH.test(value!)) throw malformed("The content length is invalid");
      this.#remaining = Number(value);
      this.#state = this.#remaining === 0 ? "done" : "length";
    } else {
      this.#keepAlive = false;
      this.#state = "close";
    }
  }

  #readData(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.byteLength, at + this.#remaining);
    this.#sink.onBody(bytes.subarray(at, end));
    this.#remaining -= end - at;
    if (this.#remaining === 0) this.#state = this.#state === "length" ? "done" : "chunkEnd";
    return end;
  }

  #readLine(bytes: Buffer, at: number): number {
    const lineFeed = bytes.indexOf(LF, at);
    const end = lineFeed < 0 ? bytes.byteLength : lineFeed;
    if (this.#line.length + end - at > LINE_BYTES_MAX)
      throw malformed("A line of the chunked coding is too long");
    this.#line += bytes.toString("latin1", at, end);
    if (lineFeed < 0) return end;
    const line = withoutCr(this.#line);
    this.#line = "";
    this.#takeLine(line);
    return end + 1;
  }

  #takeLine(line: string): void {
    if (this.#state === "chunkEnd") {
      if (line !== "") throw malformed("A chunk is longer than it says");
      this.#state = "chunkSize";
    } else if (this.#state === "chunkSize") {
      const size = CHUNK_LINE.exec(line)?.[1];
      if (size === undefined) throw malformed("The size of a chunk is invalid");
      this.#remaining = Number.parseInt(size, 16);
      this.#state = this.#remaining === 0 ? "trailer" : "chunkData";
    } else if (line === "") {
      this.#state = "done";
    } else {
      this.#trailerBytes += line.length;
      if (this.#trailerBytes > TRAILER_BYTES_MAX) throw malformed("The trailer is too long");
    }
  }
}

/** Index behind the empty line that ends a head, or -1. */
function endOfHead(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

function readFields(lines: readonly string[]): AnswerHeaders {
  if (lines.length > HEADERS_MAX + 3) {
    throw new AnswerError("response_headers_too_large", `The answer has more than ${HEADERS_MAX} headers`);
  }
  const headers = new AnswerHeaders();
  for (let index = 1; index < lines.length; index++) {
    const line = withoutCr(lines[index]!);
    if (line === "") continue;
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(0, colon));
    const value = line.slice(colon + 1);
    if (!TOKEN.test(name) || FIELD_CONTROL.test(value)) throw malformed("A header is invalid");
    headers.append(name, value);
  }
  return headers;
}

function withoutCr(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

function malformed(message: string): AnswerError {
  return new AnswerError("response_malformed", message);
}
