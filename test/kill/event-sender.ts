import { newId } from "../../src/platform/uuid.ts";

/** An event as its publisher keeps it. */
export interface PublishedEvent {
  id: string;
  type: "order.created" | "order.updated";
  region: "EU" | "US" | "AP" | "SA";
}

/** A multiple of eight, so that types and regions come in equal shares. */
const BATCH = 40;
const PUBLISHERS = 6;
const ANSWER_TIMEOUT_MS = 10_000;
const RETRY_AFTER_MS = 100;
const TYPES = ["order.created", "order.updated"] as const;
const REGIONS = ["EU", "US", "AP", "SA"] as const;
const PADDING = "x".repeat(500);

/** A service that publishes events in batches, each batch again under the same ids until it has its 202. */
export class EventSender {
  readonly accepted: PublishedEvent[] = [];
  /** Answers by status; 0 is none. */
  readonly answers = new Map<number, number>();
  readonly #url: string;
  readonly #apiKey: string;
  #begun = 0;

  constructor(baseUrl: string, apiKey: string) {
    this.#url = `${baseUrl}/api/v1/events`;
    this.#apiKey = apiKey;
  }

  /**
   * Publishes `count` events.
   *
   * @param mayGoOn asked before each batch: false while enough is under way
   */
  async publish(count: number, mayGoOn: () => boolean): Promise<void> {
    const loop = async (): Promise<void> => {
      while (this.#begun < count) {
        if (!mayGoOn()) {
          await Bun.sleep(10);
          continue;
        }
        const size = Math.min(BATCH, count - this.#begun);
        this.#begun += size;
        const events = Array.from({ length: size }, (_, index): PublishedEvent => {
          const id = newId();
          return { id, type: TYPES[index % 2]!, region: REGIONS[(index >> 1) % 4]! };
        });
        await this.#untilAccepted(events);
        this.accepted.push(...events);
      }
    };
    await Promise.all(Array.from({ length: PUBLISHERS }, loop));
  }

  async #untilAccepted(events: readonly PublishedEvent[]): Promise<void> {
    const body = JSON.stringify({
      events: events.map(({ id, type, region }) => ({ id, type, data: { region, note: PADDING } })),
    });
    for (;;) {
      const status = await this.#post(body);
      this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
      if (status === 202) return;
      await Bun.sleep(RETRY_AFTER_MS);
    }
  }

  async #post(body: string): Promise<number> {
    try {
      const response = await fetch(this.#url, {
        method: "POST",
        body,
        headers: { "content-type": "application/json", authorization: `Bearer ${this.#apiKey}` },
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      await response.arrayBuffer();
      return response.status;
    } catch {
      return 0;
    }
  }
}
