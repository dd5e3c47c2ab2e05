import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";

/** One whole message of a protocol, and the point of interest that it is, if any. */
export interface WireMessage {
  bytes: Buffer;
  point: string | undefined;
}

/** Reads both directions of one connection. A request and its answer carry the same point. */
export interface Conversation {
  fromClient(chunk: Buffer): WireMessage[];
  fromServer(chunk: Buffer): WireMessage[];
}

/** The n-th time, counted from now over all connections, that a point comes by. */
export interface Moment {
  point: string;
  nth: number;
  /** `before`: the server has not seen the request; `after`: it has answered, and the client has not seen the answer. */
  when: "before" | "after";
}

interface Trap extends Moment {
  action: () => Promise<void>;
}

/** A client's connection with the one opened for it. */
interface Link {
  client: Socket;
  server: Socket;
  /** Half-open: both ends believe in the connection, and nothing arrives any more. */
  deaf: boolean;
}

/**
 * A TCP proxy between the hub and a server that can fail in the ways that real networks and machines do, also at an
 * exact message. It hands on whole messages and closes what the other side closes.
 */
export class FaultProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #targetPort: number;
  readonly #converse: () => Conversation;
  #trap: Trap | undefined;
  #blackHole = false;
  /** Delay of everything that comes by, in each direction. */
  latencyMs = 0;
  /** Bandwidth of each connection in each direction; 0: no limit. */
  bytesPerSecond = 0;

  private constructor(targetPort: number, converse: () => Conversation) {
    this.#targetPort = targetPort;
    this.#converse = converse;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** @param converse makes the reader of a new connection */
  static async start(targetPort: number, converse: () => Conversation): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort, converse);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /**
   * Runs `action` at that moment, while the message is held. Afterwards the connection is closed without passing the
   * message on: its sender can only guess what became of it. One moment at a time.
   */
  at(moment: Moment, action: () => Promise<void>): void {
    this.#trap = { ...moment, action };
  }

  /**
   * From now on nothing arrives, in either direction, on connections that exist and on new ones; nobody is told. The
   * connections stay half-open when the black hole ends; those opened after it work.
   */
  blackHole(on: boolean): void {
    this.#blackHole = on;
    if (on) for (const link of this.#links) link.deaf = true;
  }

  /** Ends every connection by FIN, as the kernel does for a process that was killed. */
  hangUp(): void {
    for (const link of this.#links) this.#close(link);
  }

  /** Ends every connection by RST. */
  reset(): void {
    for (const link of this.#links) {
      link.client.resetAndDestroy();
      link.server.destroy();
    }
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.reset();
    await closed;
  }

  #accept(client: Socket): void {
    const server = connect(this.#targetPort, "127.0.0.1");
    const link: Link = { client, server, deaf: this.#blackHole };
    const conversation = this.#converse();
    this.#links.add(link);
    client.setNoDelay(true);
    server.setNoDelay(true);
    // The pump that reads the socket sees the same error.
    client.on("error", () => undefined);
    server.on("error", () => undefined);
    client.on("close", () => this.#close(link));
    void this.#pump(link, client, server, "before", (chunk) => conversation.fromClient(chunk));
    void this.#pump(link, server, client, "after", (chunk) => conversation.fromServer(chunk));
  }

  async #pump(
    link: Link,
    from: Socket,
    to: Socket,
    when: Moment["when"],
    read: (chunk: Buffer) => WireMessage[],
  ): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        const transferMs = this.bytesPerSecond > 0 ? (chunk.length / this.bytesPerSecond) * 1000 : 0;
        if (this.latencyMs + transferMs > 0) await Bun.sleep(this.latencyMs + transferMs);
        if (link.deaf) continue;
        const passed: Buffer[] = [];
        for (const { bytes, point } of read(chunk)) {
          const trap = point === undefined ? undefined : this.#sprung(point, when);
          if (trap !== undefined) {
            to.write(Buffer.concat(passed));
            await trap.action();
            return this.#close(link);
          }
          passed.push(bytes);
        }
        // Not waited for: what a test sends fits into memory, and a peer that was killed never drains.
        if (passed.length > 0) to.write(passed.length === 1 ? passed[0]! : Buffer.concat(passed));
      }
      // The other end of a half-open connection is never told.
      if (!link.deaf) to.end();
    } catch {
      // The peer was killed, or could not be reached.
      if (!link.deaf) this.#close(link);
    }
  }

  #sprung(point: string, when: Moment["when"]): Trap | undefined {
    const trap = this.#trap;
    if (trap === undefined || trap.point !== point || trap.when !== when || --trap.nth > 0) return undefined;
    this.#trap = undefined;
    return trap;
  }

  #close(link: Link): void {
    this.#links.delete(link);
    link.client.destroy();
    link.server.destroy();
  }
}
