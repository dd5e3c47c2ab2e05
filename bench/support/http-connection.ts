import type { Socket } from "bun";
import { ResponseReader } from "./response-reader.ts";

/** How one request ended; `broken`: the connection was lost before a complete answer. */
export type RequestEnd = { status: number } | "broken" | "timeout";

export interface HttpConnectionOptions {
  hostname: string;
  port: number;
  tls: boolean;
  /** A connection is open and has no request under way. */
  onIdle(connection: HttpConnection): void;
  onEnd(connection: HttpConnection, end: RequestEnd): void;
  /** Opening failed; another try follows. */
  onConnectError(error: Error): void;
}

/** Between two tries to open a connection, so that a server that is away is not flooded with SYNs. */
const REOPEN_AFTER_MS = 200;

/**
 * One keep-alive connection with one request under way at a time, on a bare socket: `fetch` would add 15 µs of CPU a
 * request, a pool of its own and a limit of 256 requests in flight. Opens itself anew until it is closed.
 */
export class HttpConnection {
  readonly #options: HttpConnectionOptions;
  #reader = new ResponseReader();
  #socket: Socket<undefined> | undefined;
  #unsent: Uint8Array | undefined;
  #busy = false;
  #closed = false;
  /** Numbers the sockets, so that a late event of an old one is not taken for one of its successor. */
  #generation = 0;
  /** When the request under way was due and when it was written; for its owner's use. */
  intendedMs = 0;
  sentMs = 0;

  constructor(options: HttpConnectionOptions) {
    this.#options = options;
    this.#open();
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** Writes one request; only while the connection is idle. */
  send(request: string | Uint8Array): void {
    this.#busy = true;
    const socket = this.#socket;
    if (socket === undefined) return this.#finish("broken");
    const bytes = typeof request === "string" ? request.length : request.byteLength;
    const written = socket.write(request);
    if (written < 0) return this.#reopen("broken");
    if (written < bytes) {
      const whole = typeof request === "string" ? Buffer.from(request, "latin1") : request;
      this.#unsent = whole.subarray(written);
    }
  }

  /** Gives up the request under way; its answer could not be told from the next one's, so the socket goes too. */
  abandon(): void {
    this.#reopen("timeout");
  }

  close(): void {
    this.#closed = true;
    this.#generation++;
    this.#socket?.terminate();
  }

  #open(): void {
    const { hostname, port, tls } = this.#options;
    const generation = ++this.#generation;
    const current = (): boolean => generation === this.#generation;
    this.#reader = new ResponseReader();
    Bun.connect<undefined>({
      hostname,
      port,
      ...(tls ? { tls: { serverName: hostname } } : {}),
      data: undefined,
      socket: {
        open: (socket) => {
          if (!current()) return void socket.terminate();
          socket.setNoDelay(true);
          this.#socket = socket;
          this.#options.onIdle(this);
        },
        data: (_socket, bytes) => {
          if (current()) this.#receive(bytes);
        },
        drain: (socket) => {
          if (current()) this.#flush(socket);
        },
        close: () => {
          if (current()) this.#lost();
        },
        error: () => {
          if (current()) this.#lost();
        },
      },
    }).catch((error: unknown) => {
      if (!current()) return;
      this.#options.onConnectError(error as Error);
      setTimeout(() => {
        if (current() && !this.#closed) this.#open();
      }, REOPEN_AFTER_MS);
    });
  }

  #receive(bytes: Buffer): void {
    const outcome = this.#reader.push(bytes);
    if (outcome.kind === "incomplete") return;
    if (outcome.kind === "broken" || !this.#busy) return this.#reopen("broken");
    if (!outcome.keepAlive) return this.#reopen({ status: outcome.status });
    this.#unsent = undefined;
    this.#finish({ status: outcome.status });
    this.#options.onIdle(this);
  }

  #lost(): void {
    const outcome = this.#reader.end();
    this.#reopen(outcome.kind === "response" ? { status: outcome.status } : "broken");
  }

  #flush(socket: Socket<undefined>): void {
    if (this.#unsent === undefined) return;
    const written = socket.write(this.#unsent);
    this.#unsent =
      written >= this.#unsent.byteLength ? undefined : this.#unsent.subarray(Math.max(0, written));
  }

  #reopen(end: RequestEnd): void {
    this.#generation++;
    this.#socket?.terminate();
    this.#socket = undefined;
    this.#unsent = undefined;
    this.#finish(end);
    if (!this.#closed) this.#open();
  }

  #finish(end: RequestEnd): void {
    if (!this.#busy) return;
    this.#busy = false;
    this.#options.onEnd(this, end);
  }
}
