import { createHmac } from "node:crypto";
import { newId } from "../../src/platform/uuid.ts";

/** A URL to send to, with the secret that GitHub would sign with. */
export interface SenderEndpoint {
  url: string;
  secret: string;
}

/** A 200 as the sender keeps it. */
export interface Acknowledgement {
  eventId: string;
  receiptId: string;
}

/** One answer; 0 when there was none: refused, reset or timed out. */
export interface SenderAnswer {
  status: number;
  receiptId: string;
  retryAfter: string | null;
}

/** Longer than any answer that the hub owes; without it a lost answer would hold its connection for ever. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Between two tries of one webhook. */
const RETRY_AFTER_MS = 50;

/** A hub that was killed and started again takes webhooks long before; a sender gives up at last. */
const GIVE_UP_AFTER_MS = 90_000;

/** The body that the target finds the event's id in. */
export function eventBody(eventId: string, paddingBytes = 600): string {
  return JSON.stringify({ eventId, load: { status: "IN_TRANSIT" }, notes: "x".repeat(paddingBytes) });
}

/** Sends one webhook signed as GitHub signs it (docs.github.com, "Validating webhook deliveries"). */
export async function sendWebhook(
  endpoint: SenderEndpoint,
  eventId: string,
  body = eventBody(eventId),
): Promise<SenderAnswer> {
  try {
    const response = await fetch(endpoint.url, {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": eventId,
        "x-hub-signature-256": `sha256=${createHmac("sha256", endpoint.secret).update(body).digest("hex")}`,
      },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    await response.arrayBuffer();
    return {
      status: response.status,
      receiptId: response.headers.get("hub-receipt-id") ?? "",
      retryAfter: response.headers.get("retry-after"),
    };
  } catch {
    return { status: 0, receiptId: "", retryAfter: null };
  }
}

/**
 * A provider under load: so many connections send webhook after webhook until told to stop, and each one again under
 * the same event id until it has its 200.
 */
export class WebhookSender {
  readonly #endpoints: readonly SenderEndpoint[];
  readonly acknowledged: Acknowledgement[] = [];
  /** Number of answers by status; 0 is none. */
  readonly answers = new Map<number, number>();
  /** The longest wait for an answer, by status. */
  readonly slowestMs = new Map<number, number>();
  /** Event ids that had no 200 after many tries. */
  readonly givenUp: string[] = [];
  inFlight = 0;
  #stopping = false;
  #loops: Promise<void>[] = [];

  constructor(endpoints: readonly SenderEndpoint[]) {
    this.#endpoints = endpoints;
  }

  start(connections: number): void {
    this.#loops = Array.from({ length: connections }, (_, index) => this.#loop(index));
  }

  /** Begins no further webhook; settles when each one begun has its 200 or was given up. */
  async finish(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#loops);
  }

  async #loop(index: number): Promise<void> {
    for (let turn = index; !this.#stopping; turn++) {
      const endpoint = this.#endpoints[turn % this.#endpoints.length]!;
      this.inFlight++;
      await this.#sendUntilAcknowledged(endpoint, newId());
      this.inFlight--;
    }
  }

  async #sendUntilAcknowledged(endpoint: SenderEndpoint, eventId: string): Promise<void> {
    for (const giveUpMs = Date.now() + GIVE_UP_AFTER_MS; Date.now() < giveUpMs;) {
      const sentAtMs = performance.now();
      const { status, receiptId } = await sendWebhook(endpoint, eventId);
      const tookMs = Math.round(performance.now() - sentAtMs);
      this.slowestMs.set(status, Math.max(this.slowestMs.get(status) ?? 0, tookMs));
      this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
      if (status === 200) return void this.acknowledged.push({ eventId, receiptId });
      await Bun.sleep(RETRY_AFTER_MS);
    }
    this.givenUp.push(eventId);
  }
}
