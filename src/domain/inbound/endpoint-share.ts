import type { HeldEntry } from "../../platform/streams/stream-entry.ts";

/** Share of the queue that one endpoint may hold once its messages are slow. */
const SHARE = 0.25;

/** An endpoint is slow when its oldest message has been held for so long. */
const SLOW_MS = 1_000;

interface Held {
  endpointId: string;
  sinceMs: number;
}

/**
 * Watches what each endpoint holds of this process's queue. One whose messages are slow gets a quarter of it; the rest of
 * its messages give way, so that the others find room.
 */
export class EndpointShare {
  readonly #entriesMax: number;
  readonly #held = new Map<HeldEntry, Held>();
  /** By endpoint, its held entries in the order of their coming. */
  readonly #byEndpoint = new Map<string, Set<HeldEntry>>();

  /** @param queueSize WEBHOOK_QUEUE_SIZE */
  constructor(queueSize: number) {
    this.#entriesMax = Math.max(1, Math.floor(queueSize * SHARE));
  }

  /** Sorts what was read into what is processed now and what gives way. */
  admit(entries: readonly HeldEntry[]): { now: HeldEntry[]; later: HeldEntry[] } {
    const nowMs = performance.now();
    const now: HeldEntry[] = [];
    const later: HeldEntry[] = [];
    for (const entry of entries) {
      const endpointId = endpointIdOf(entry);
      if (this.#isOverdrawn(endpointId, nowMs)) {
        later.push(entry);
        continue;
      }
      this.#held.set(entry, { endpointId, sinceMs: nowMs });
      const own = this.#byEndpoint.get(endpointId);
      if (own) own.add(entry);
      else this.#byEndpoint.set(endpointId, new Set([entry]));
      now.push(entry);
    }
    return { now, later };
  }

  /** The entry is out of the queue. */
  settled(entry: HeldEntry): void {
    const held = this.#held.get(entry);
    if (held === undefined) return;
    this.#held.delete(entry);
    const own = this.#byEndpoint.get(held.endpointId)!;
    own.delete(entry);
    if (own.size === 0) this.#byEndpoint.delete(held.endpointId);
  }

  #isOverdrawn(endpointId: string, nowMs: number): boolean {
    const own = this.#byEndpoint.get(endpointId);
    if (own === undefined || own.size < this.#entriesMax) return false;
    const [oldest] = own;
    return nowMs - this.#held.get(oldest!)!.sinceMs > SLOW_MS;
  }
}

/** Read from the text, because most entries are parsed only when their turn comes. */
function endpointIdOf(entry: HeldEntry): string {
  const meta = entry.fields[1] ?? "";
  const at = meta.indexOf('"endpointId":"');
  return at < 0 ? "" : meta.slice(at + 14, at + 50);
}
