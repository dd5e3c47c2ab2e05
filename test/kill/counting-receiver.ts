import type { Server } from "bun";

/** Of a thousand events so many are refused at their first try. */
const REFUSED_PER_MILLE = 10;

interface Seen {
  deliveryId: string;
  attempts: Set<string>;
  isAnswered: boolean;
}

/** A receiver that keeps a list of its own: what came, what came again though it was answered, and what was wrong. */
export class CountingReceiver {
  /** By `webhook-id`. */
  readonly seen = new Map<string, Seen>();
  /** Requests of a try that was made before, or of an event that was answered with 200. */
  repeated = 0;
  readonly faults: string[] = [];
  readonly #server: Server<undefined>;

  constructor() {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 60,
      fetch: async (request) => {
        const { headers } = request;
        const body = (await request.json()) as { id: string };
        const id = headers.get("webhook-id") ?? "";
        if (body.id !== id) this.faults.push(`webhook-id ${id}, in the body ${body.id}`);
        return new Response(null, {
          status: this.#take(id, headers.get("hub-delivery-id")!, headers.get("hub-attempt")!),
        });
      },
    });
  }

  get url(): string {
    return `${this.#server.url.href}hook`;
  }

  #take(id: string, deliveryId: string, attempt: string): number {
    let seen = this.seen.get(id);
    if (seen === undefined)
      this.seen.set(id, (seen = { deliveryId, attempts: new Set(), isAnswered: false }));
    if (seen.deliveryId !== deliveryId) this.faults.push(`${id} under ${seen.deliveryId} and ${deliveryId}`);
    if (seen.isAnswered || seen.attempts.has(attempt)) this.repeated++;
    const isRefused =
      seen.attempts.size === 0 && Number.parseInt(id.slice(-3), 16) % 1000 < REFUSED_PER_MILLE;
    seen.attempts.add(attempt);
    seen.isAnswered ||= !isRefused;
    return isRefused ? 503 : 200;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
}
