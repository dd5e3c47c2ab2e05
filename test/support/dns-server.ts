import { createSocket, type Socket } from "node:dgram";
import packet from "dns-packet";

/** What the server says of a name: addresses of both families, or no answer of that kind. */
export type DnsAnswer = readonly string[] | "NXDOMAIN" | "SERVFAIL" | "silent";

const RCODES = { NXDOMAIN: 3, SERVFAIL: 2 } as const;

/** A DNS server on loopback that answers as a test tells it, and differently each time if need be. */
export class DnsServer {
  readonly #socket: Socket;
  readonly #names = new Map<string, (nth: number) => DnsAnswer>();
  /** Questions for IPv4 addresses by name: one a look-up. */
  readonly asked = new Map<string, number>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (message, sender) => this.#answer(message, sender.port, sender.address));
  }

  static async start(): Promise<DnsServer> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => {
      socket.bind(0, "127.0.0.1", resolve);
    });
    return new DnsServer(socket);
  }

  /** In the form of EGRESS_DNS_SERVERS. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  /** @param answer addresses, or a function of how often the name was looked up before */
  set(name: string, answer: DnsAnswer | ((nth: number) => DnsAnswer)): void {
    this.#names.set(name, typeof answer === "function" ? answer : () => answer);
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.close(resolve);
    });
  }

  #answer(message: Buffer, port: number, address: string): void {
    const query = packet.decode(message);
    const question = query.questions?.[0];
    if (question === undefined) return;
    const name = question.name.toLowerCase();
    const isV4 = question.type === "A";
    // Both families of one look-up see the same answer.
    const nth = (this.asked.get(name) ?? 0) - (isV4 ? 0 : 1);
    if (isV4) this.asked.set(name, nth + 1);
    const said = this.#names.get(name)?.(Math.max(0, nth)) ?? "NXDOMAIN";
    if (said === "silent") return;
    const reply = packet.encode({
      type: "response",
      id: query.id ?? 0,
      flags: 0x0180 | (typeof said === "string" ? RCODES[said] : 0),
      questions: [question],
      answers:
        typeof said === "string"
          ? []
          : said
              .filter((one) => one.includes(":") !== isV4)
              .map((data) => ({ name: question.name, type: isV4 ? "A" : "AAAA", ttl: 0, data }) as const),
    });
    this.#socket.send(reply, port, address);
  }
}
