import { checkServerIdentity } from "node:tls";
import type { Socket } from "bun";
import type { Target } from "./address-policy.ts";
import type { EgressErrorCode, EgressPhase } from "./exchange.ts";
import { HEAD_BYTES_MAX } from "./request-head.ts";
import { AnswerError, type AnswerSink, ResponseParser } from "./response-parser.ts";
import type { BodySource } from "./streamed-exchange.ts";

/** A request ready to be written. */
export interface WireRequest {
  method: string;
  /** ASCII, the empty line included. */
  head: string;
  body: Uint8Array | string | undefined;
  bodyBytes: number;
  /** Sent after the head as it comes; `body` is undefined then. */
  source?: BodySource | undefined;
}

/** Told while an exchange goes on. */
export interface ExchangeProgress {
  /** The whole request is with the operating system. */
  onWritten(): void;
  onFirstByte(): void;
}

/** How an exchange on one connection ended. `started`: some byte of an answer had come. */
export type ExchangeEnd =
  | { complete: true; reusable: boolean }
  | { complete: false; code: EgressErrorCode; message: string; started: boolean };

export class ConnectError extends Error {
  readonly phase: EgressPhase;
  readonly code: EgressErrorCode;

  constructor(phase: EgressPhase, code: EgressErrorCode, message: string) {
    super(message);
    this.name = "ConnectError";
    this.phase = phase;
    this.code = code;
  }
}

/** Up to this size head and body leave in one piece; larger bodies are not copied for it. */
const JOINED_BYTES_MAX = 64 * 1024;
/** Where a request is put together; what the system does not take at once is copied out of it. */
const scratch = Buffer.allocUnsafe(HEAD_BYTES_MAX + JOINED_BYTES_MAX);
/** Used where the receiver does not say how long it keeps an idle connection. */
const IDLE_DEFAULT_MS = 15_000;

interface Exchange {
  parser: ResponseParser;
  progress: ExchangeProgress;
  resolve(end: ExchangeEnd): void;
}

interface ConnectionData {
  connection: Connection;
}

/**
 * One connection to one checked address, with one exchange at a time. A bare socket, because `fetch` hides what the log
 * and the circuit need (phases, whether anything was sent), sends a request again by itself when a kept connection was
 * closed, and takes an answer that nobody asked for as the answer to the next request.
 */
export class Connection {
  readonly address: string;
  /** Called once when the connection is gone. */
  onGone: (() => void) | undefined;
  /** An exchange was completed on it before. */
  used = false;
  /** When it became idle, and how long it may stay so, in milliseconds. */
  idleSinceMs = 0;
  idleMaxMs = IDLE_DEFAULT_MS;
  readonly #target: Target;
  readonly #settle: { resolve(connection: Connection): void; reject(error: ConnectError): void };
  readonly #onTls: () => void;
  #socket: Socket<ConnectionData> | undefined;
  #state: "connecting" | "handshake" | "open" | "gone" = "connecting";
  #exchange: Exchange | undefined;
  #unsent: Uint8Array | undefined;
  /** A body is being passed on: the request is not complete yet. */
  #isPassing = false;
  #onDrained: (() => void) | undefined;

  constructor(options: {
    target: Target;
    address: string;
    onTls(): void;
    resolve(connection: Connection): void;
    reject(error: ConnectError): void;
  }) {
    this.#target = options.target;
    this.address = options.address;
    this.#settle = options;
    this.#onTls = options.onTls;
  }

  /** Starts connecting; `certificates` are trusted besides the system's. */
  connect(certificates: readonly string[] | undefined): void {
    const { tls, family, host, port } = this.#target;
    const tlsOptions = {
      rejectUnauthorized: true,
      // An address is no server name (RFC 6066 section 3); the certificate is then checked against the address itself.
      ...(family === 0 ? { serverName: host } : {}),
      ...(certificates === undefined ? {} : { ca: [...certificates] }),
    };
    Bun.connect<ConnectionData>({
      hostname: this.address,
      port,
      ...(tls ? { tls: tlsOptions } : {}),
      data: { connection: this },
      socket: HANDLERS,
    }).catch((error: NodeJS.ErrnoException) => {
      const code = error.code === "ECONNREFUSED" ? "connection_refused" : "connection_failed";
      this.fail(code, code === "connection_refused" ? "Connection refused" : "Cannot connect");
    });
  }

  /**
   * Sends a request and reads its answer into the sink. Only on an open connection without an exchange.
   *
   * @returns how it ended; never rejects
   */
  exchange(request: WireRequest, sink: AnswerSink, progress: ExchangeProgress): Promise<ExchangeEnd> {
    return new Promise((resolve) => {
      this.#exchange = { parser: new ResponseParser(request.method, sink), progress, resolve };
      if (this.#state === "open") this.#send(request);
      else this.#finish({ complete: false, code: "connection_closed", message: CLOSED, started: false });
    });
  }

  /** True while the connection can take an exchange. */
  get isOpen(): boolean {
    return this.#state === "open" && this.#exchange === undefined;
  }

  /** Takes no more of the answer until `resume`. */
  pause(): void {
    if (this.#state === "open") this.#socket?.pause();
  }

  resume(): void {
    if (this.#state === "open") this.#socket?.resume();
  }

  /** Ends the connection at once; an exchange under way fails with `aborted`. */
  destroy(): void {
    this.fail("aborted", "The exchange was given up");
  }

  /** Ends the connection; what is under way on it fails for this reason. */
  fail(code: EgressErrorCode, message: string): void {
    if (this.#state === "gone") return;
    const before = this.#state;
    this.#state = "gone";
    this.#unsent = undefined;
    this.#socket?.terminate();
    this.#tellDrained();
    if (before === "open") {
      const started = this.#exchange?.parser.started ?? false;
      this.#finish({ complete: false, code, message, started });
    } else {
      this.#settle.reject(new ConnectError(before === "connecting" ? "connect" : "tls", code, message));
    }
    this.onGone?.();
  }

  opened(socket: Socket<ConnectionData>): void {
    // Given up while it was connecting.
    if (this.#state === "gone") return void socket.terminate();
    this.#socket = socket;
    socket.setNoDelay(true);
    if (this.#target.tls) {
      this.#state = "handshake";
      this.#onTls();
    } else this.#ready();
  }

  secured(socket: Socket<ConnectionData>, success: boolean, error: Error | null): void {
    if (this.#state !== "handshake") return;
    const code = (error as NodeJS.ErrnoException | null)?.code ?? "";
    if (error !== null || !success) {
      const isCertificate = code !== "EPROTO" && code !== "ECONNRESET" && code !== "";
      if (isCertificate)
        return this.fail("certificate_invalid", `The certificate is not valid: ${error!.message}`);
      return this.fail("tls_failed", "The TLS handshake failed");
    }
    // The runtime has checked the name; asked once more, because nothing else stands between a name and its secrets.
    const mismatch = checkServerIdentity(this.#target.host, socket.getPeerCertificate());
    if (mismatch) return this.fail("certificate_invalid", "The certificate is for another host");
    this.#ready();
  }

  received(bytes: Buffer): void {
    const exchange = this.#exchange;
    // Nobody asked: taken as the answer to the next request it would be mistaken.
    if (exchange === undefined) return this.fail("response_malformed", "Bytes without a request");
    if (!exchange.parser.started) exchange.progress.onFirstByte();
    let end: number;
    try {
      end = exchange.parser.push(bytes);
    } catch (error) {
      const { code, message } =
        error instanceof AnswerError
          ? error
          : { code: "response_malformed" as const, message: String(error) };
      return this.fail(code, message);
    }
    if (end < 0) return;
    if (end < bytes.byteLength && bytes.toString("latin1", end, end + 7) === "HTTP/1.") {
      return this.fail("response_malformed", "The request was answered twice");
    }
    this.#complete(exchange, end === bytes.byteLength);
  }

  drained(): void {
    if (this.#unsent === undefined || this.#socket === undefined) return;
    const written = Math.max(0, this.#socket.write(this.#unsent));
    if (written < this.#unsent.byteLength) this.#unsent = this.#unsent.subarray(written);
    else {
      this.#unsent = undefined;
      if (this.#isPassing) this.#tellDrained();
      else this.#exchange?.progress.onWritten();
    }
  }

  closed(error: Error | undefined): void {
    const exchange = this.#exchange;
    if (error === undefined && this.#state === "open" && exchange?.parser.end()) {
      return this.#complete(exchange, false);
    }
    if (this.#state === "handshake")
      return this.fail("tls_failed", "The connection was closed during the TLS handshake");
    if (error !== undefined) return this.fail("connection_reset", "The connection was reset");
    this.fail(
      "connection_closed",
      exchange?.parser.started ? "The answer ended before it was complete" : CLOSED,
    );
  }

  #ready(): void {
    this.#state = "open";
    this.#settle.resolve(this);
  }

  #send({ head, body, bodyBytes, source }: WireRequest): void {
    if (source !== undefined) {
      void this.#pass(head, source, this.#exchange!);
      return;
    }
    let size = scratch.write(head, 0, "latin1");
    let rest: Uint8Array | undefined;
    if (body !== undefined && bodyBytes > JOINED_BYTES_MAX) {
      rest = typeof body === "string" ? Buffer.from(body, "utf8") : body;
    } else if (typeof body === "string") size += scratch.write(body, size, "utf8");
    else if (body !== undefined) {
      scratch.set(body, size);
      size += bodyBytes;
    }
    const written = this.#socket!.write(scratch, 0, size);
    if (written < 0) return this.fail("connection_closed", CLOSED);
    if (written < size) {
      const left = scratch.subarray(written, size);
      // Copied: the next request is put together in the same place.
      this.#unsent = rest === undefined ? Buffer.from(left) : Buffer.concat([left, rest]);
    } else if (rest === undefined) this.#exchange?.progress.onWritten();
    else {
      this.#unsent = rest;
      this.drained();
    }
  }

  /** Sends the head, and the body's pieces as they come and as the receiver takes them. */
  async #pass(head: string, source: BodySource, exchange: Exchange): Promise<void> {
    this.#isPassing = true;
    const isChunked = source.bytes === undefined;
    try {
      await this.#write(Buffer.from(head, "latin1"));
      for (;;) {
        const piece = await source.read();
        // Answered or broken off meanwhile: nobody reads the rest.
        if (this.#exchange !== exchange) return;
        if (piece === undefined) break;
        if (piece.byteLength === 0) continue;
        if (isChunked) await this.#write(Buffer.from(`${piece.byteLength.toString(16)}\r\n`, "latin1"));
        await this.#write(piece);
        if (isChunked) await this.#write(CRLF);
      }
      if (isChunked) await this.#write(LAST_CHUNK);
    } catch {
      if (this.#exchange === exchange) this.fail("aborted", "The body of the request was broken off");
      return;
    }
    this.#isPassing = false;
    if (this.#exchange === exchange) exchange.progress.onWritten();
  }

  /** Resolves when the system has taken all bytes, or the connection is gone. */
  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#state !== "open") return;
    const written = this.#socket!.write(bytes);
    if (written < 0) return this.fail("connection_closed", CLOSED);
    if (written === bytes.byteLength) return;
    this.#unsent = bytes.subarray(written);
    await new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
  }

  #tellDrained(): void {
    const resolve = this.#onDrained;
    this.#onDrained = undefined;
    resolve?.();
  }

  #complete(exchange: Exchange, clean: boolean): void {
    const isWritten = this.#unsent === undefined && !this.#isPassing;
    const reusable = clean && exchange.parser.keepAlive && isWritten && this.#state === "open";
    this.used = true;
    this.#finish({ complete: true, reusable });
    if (!reusable) this.destroy();
  }

  #finish(end: ExchangeEnd): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.resolve(end);
  }
}

const CLOSED = "The connection was closed without an answer";
const CRLF = Buffer.from("\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

const HANDLERS = {
  open: (socket: Socket<ConnectionData>) => socket.data.connection.opened(socket),
  handshake: (socket: Socket<ConnectionData>, success: boolean, error: Error | null) =>
    socket.data.connection.secured(socket, success, error),
  data: (socket: Socket<ConnectionData>, bytes: Buffer) => socket.data.connection.received(bytes),
  drain: (socket: Socket<ConnectionData>) => socket.data.connection.drained(),
  close: (socket: Socket<ConnectionData>, error?: Error) => socket.data.connection.closed(error),
  error: (socket: Socket<ConnectionData>, error: Error) => socket.data.connection.closed(error),
};
