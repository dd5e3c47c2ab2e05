/** What the bytes received so far amount to. */
export type ReadOutcome =
  | { kind: "incomplete" }
  | { kind: "response"; status: number; keepAlive: boolean }
  | { kind: "broken" };

const INCOMPLETE: ReadOutcome = { kind: "incomplete" };
const BROKEN: ReadOutcome = { kind: "broken" };

/** A webhook's answer is short; more is no answer that this tool understands. */
const RESPONSE_BYTES_MAX = 1024 * 1024;

/**
 * Reads HTTP/1.1 responses (RFC 9112) off one connection with one request under way at a time: status, and where the
 * response ends, by Content-Length or by chunks. A response that ends with the connection is reported by `end()`.
 */
export class ResponseReader {
  #pending: Buffer | undefined;

  /** Takes the next bytes; after "response" the reader waits for the following one. */
  push(bytes: Buffer): ReadOutcome {
    const buffer = this.#pending === undefined ? bytes : Buffer.concat([this.#pending, bytes]);
    const headEnd = buffer.indexOf("\r\n\r\n");
    if (headEnd < 0) return this.#keep(buffer);
    const status = Number(buffer.toString("latin1", 9, 12));
    if (!(status >= 100 && status <= 599)) return BROKEN;
    if (status < 200) {
      this.#pending = undefined;
      return this.push(buffer.subarray(headEnd + 4));
    }
    const head = buffer.toString("latin1", 0, headEnd).toLowerCase();
    const end = endOfBody(buffer, headEnd + 4, head, status);
    if (end === undefined || end > buffer.length) return this.#keep(buffer);
    this.#pending = undefined;
    return { kind: "response", status, keepAlive: !head.includes("\r\nconnection: close") };
  }

  /** The connection ended: a response without a declared length is complete now. */
  end(): ReadOutcome {
    const buffer = this.#pending;
    this.#pending = undefined;
    if (buffer === undefined || buffer.indexOf("\r\n\r\n") < 0) return BROKEN;
    const head = buffer.toString("latin1", 0, buffer.indexOf("\r\n\r\n")).toLowerCase();
    if (head.includes("\r\ncontent-length:") || head.includes("\r\ntransfer-encoding:")) return BROKEN;
    return { kind: "response", status: Number(buffer.toString("latin1", 9, 12)), keepAlive: false };
  }

  #keep(buffer: Buffer): ReadOutcome {
    if (buffer.length > RESPONSE_BYTES_MAX) return BROKEN;
    this.#pending = Buffer.from(buffer);
    return INCOMPLETE;
  }
}

/** Offset behind the body; undefined: not known yet (more chunks, or until the connection ends). */
function endOfBody(buffer: Buffer, bodyStart: number, head: string, status: number): number | undefined {
  if (status === 204 || status === 304) return bodyStart;
  if (/\r\ntransfer-encoding:[^\r]*chunked/.test(head)) return endOfChunks(buffer, bodyStart);
  const at = head.indexOf("\r\ncontent-length:");
  return at < 0 ? undefined : bodyStart + Number.parseInt(head.slice(at + 17, at + 40), 10);
}

function endOfChunks(buffer: Buffer, bodyStart: number): number | undefined {
  let at = bodyStart;
  for (;;) {
    const lineEnd = buffer.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(buffer.toString("latin1", at, lineEnd), 16);
    if (size === 0) {
      const trailerEnd = buffer.indexOf("\r\n\r\n", lineEnd);
      return trailerEnd < 0 ? undefined : trailerEnd + 4;
    }
    at = lineEnd + 2 + size + 2;
    if (Number.isNaN(size) || at > buffer.length) return undefined;
  }
}
