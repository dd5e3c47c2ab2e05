import type { Server } from "bun";

/** What a target was sent: the hub's id and the event's own. */
export interface Sighting {
  receiptId: string;
  eventId: string;
}

/** While it is held back, answers wait; looked at this often. */
const HOLD_CHECK_MS = 5;

/** A service that webhooks are routed to; it remembers everything that it was sent, repetitions included. */
export class TargetService {
  readonly #server: Server<undefined>;
  readonly sightings: Sighting[] = [];
  /** Receipts that it answered with 200. */
  readonly answered = new Set<string>();
  /** While this returns true it keeps its answers back, as a slow service does. */
  isHeld: () => boolean = () => false;

  constructor() {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 60,
      fetch: (request) => this.#receive(request),
    });
  }

  get url(): string {
    return this.#server.url.href;
  }

  /** Whether this receipt was sent here, once or more. */
  has(receiptId: string): boolean {
    return this.answered.has(receiptId);
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  async #receive(request: Request): Promise<Response> {
    const { eventId } = (await request.json()) as { eventId: string };
    const receiptId = request.headers.get("hub-receipt-id") ?? "";
    this.sightings.push({ receiptId, eventId });
    while (this.isHeld()) await Bun.sleep(HOLD_CHECK_MS);
    this.answered.add(receiptId);
    return new Response();
  }
}
