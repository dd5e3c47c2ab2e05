import type { Runtime } from "../runtime.ts";
import { newId } from "../uuid.ts";
import { SUBSCRIPTION_BEAT_PREFIX } from "./keys.ts";

/** What a listener of one channel does. */
export interface Listener {
  onMessage(message: string): void;
  /** Messages may have been missed: the connection was away, or its own beat did not come back. */
  onGap?(): void;
}

/** How often a process sends itself a message, to notice a subscription that is silently dead (half-open TCP, a Cluster node that left). */
const BEAT_EVERY_MS = 10_000;

/** One subscriber connection of a process with all its channels. */
class Subscriptions {
  readonly #runtime: Runtime;
  readonly #client: ReturnType<Runtime["openRedis"]>;
  readonly #listeners = new Map<string, Listener[]>();
  readonly #beatChannel = SUBSCRIPTION_BEAT_PREFIX + newId();
  #beatReceived = true;
  #wasReady = false;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#client = runtime.openRedis("subscriber");
    this.#client.on("message", (channel: string, message: string) => {
      if (channel === this.#beatChannel) this.#beatReceived = true;
      else for (const listener of this.#listeners.get(channel) ?? []) listener.onMessage(message);
    });
    this.#client.on("ready", () => {
      if (this.#wasReady) setImmediate(() => void this.#afterResubscribing());
      this.#wasReady = true;
    });
    const timer = setInterval(() => void this.#beat(), BEAT_EVERY_MS);
    timer.unref();
    runtime.shutdown.add("subscriptions", () => clearInterval(timer));
  }

  async open(): Promise<void> {
    await this.#client.subscribe(this.#beatChannel);
  }

  async add(channel: string, listener: Listener): Promise<void> {
    const existing = this.#listeners.get(channel);
    if (existing) {
      existing.push(listener);
      return;
    }
    this.#listeners.set(channel, [listener]);
    await this.#client.subscribe(channel);
  }

  async #beat(): Promise<void> {
    if (!this.#beatReceived) {
      this.#runtime.log.warn("subscription was silent; its caches are cleared");
      this.#reportGap();
      if (!("nodes" in this.#client)) this.#client.disconnect(true);
    }
    this.#beatReceived = false;
    await this.#runtime.redis.publish(this.#beatChannel, "").catch(() => undefined);
  }

  /** What is read before the server knows the subscriptions again could be stale at once, so the gap ends behind them. */
  async #afterResubscribing(): Promise<void> {
    await this.#client.subscribe(this.#beatChannel).catch(() => undefined);
    this.#reportGap();
  }

  #reportGap(): void {
    for (const listener of [...this.#listeners.values()].flat()) listener.onGap?.();
  }
}

/** One connection for each runtime, opened with its first subscription. */
const opened = new WeakMap<Runtime, Promise<Subscriptions>>();

/**
 * Listens to a pub/sub channel over the process's one subscriber connection, which closes with the runtime.
 *
 * @param channel a name from `keys.ts`
 */
export async function subscribe(runtime: Runtime, channel: string, listener: Listener): Promise<void> {
  let opening = opened.get(runtime);
  if (opening === undefined) {
    const subscriptions = new Subscriptions(runtime);
    opening = subscriptions.open().then(() => subscriptions);
    opened.set(runtime, opening);
  }
  await (await opening).add(channel, listener);
}
