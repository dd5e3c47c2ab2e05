import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** A TCP listener that does what a test tells it, and counts. */
export class RawReceiver {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  connections = 0;
  /** Each whole request head with its body, as it came. */
  readonly requests: string[] = [];

  private constructor(onRequest: (socket: Socket, nth: number) => void) {
    this.#server = createServer((socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
        const end = endOfRequest(text);
        if (end < 0) return;
        this.requests.push(text.slice(0, end));
        text = text.slice(end);
        onRequest(socket, this.requests.length);
      });
    });
  }

  /** @param onRequest called for each whole request; `nth` counts from 1 over all connections */
  static async start(
    onRequest: (socket: Socket, nth: number) => void,
    address = "127.0.0.1",
  ): Promise<RawReceiver> {
    const receiver = new RawReceiver(onRequest);
    await new Promise<void>((resolve, reject) => {
      receiver.#server.once("error", reject);
      receiver.#server.listen(0, address, resolve);
    });
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Closes the connections that are open, as a receiver does that was restarted. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  stop(): Promise<void> {
    this.dropConnections();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}

/** The end of the first request in the text, or -1. */
function endOfRequest(text: string): number {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return -1;
  const length = Number(/^content-length: (\d+)$/im.exec(text.slice(0, head))?.[1] ?? 0);
  const end = head + 4 + length;
  return text.length >= end ? end : -1;
}

/** An answer with a body and its length. */
export function answer(status: number, body = "", headers: readonly string[] = []): string {
  const lines = [`HTTP/1.1 ${status} Any`, `Content-Length: ${Buffer.byteLength(body)}`, ...headers];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}
