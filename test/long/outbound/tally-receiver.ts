import type { Server } from "bun";

/** A receiver that answers 200 and keeps only what it needs to tell whether something came twice. */
export class TallyReceiver {
  /** `webhook-id`s that came. */
  readonly ids = new Set<string>();
  /** Requests of an id that had come before. */
  repeated = 0;
  readonly #server: Server<undefined>;

  constructor() {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 60,
      fetch: async (request) => {
        const id = request.headers.get("webhook-id") ?? "";
        await request.arrayBuffer();
        if (this.ids.has(id)) this.repeated++;
        this.ids.add(id);
        return new Response();
      },
    });
  }

  get url(): string {
    return `${this.#server.url.href}hook`;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
}
