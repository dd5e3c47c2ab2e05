import type { Cluster } from "ioredis";
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
const BEAT_EVERY_MS = 3000;

/** How often a Cluster's client is asked whether it has changed its subscriber connection. */
const WATCH_EVERY_MS = 250;

/** A subscription that is not confirmed by then is asked for again. */
const SUBSCRIBE_TIMEOUT_MS = 2000;

/**
 * The connection that a Cluster's client subscribes by. It picks another node without an event when this one is lost,
 * so that the change of the connection is the only sign of missed messages (ioredis 6.0.0, ClusterSubscriber).
 */
function subscriberConnection(cluster: Cluster): object | null {
  const { subscriber } = cluster as unknown as { subscriber: { getInstance(): object | null } };
  return subscriber.getInstance();
}

/** A channel with those who listen to it. */
interface Channel {
  listeners: Listener[];
  /** The server's confirmation; rejects where it refuses. */
  subscribed: Promise<unknown>;
}

/** One subscriber connection of a process with all its channels. */
class Subscriptions {
  readonly #runtime: Runtime;
  readonly #client: ReturnType<Runtime["openRedis"]>;
  readonly #channels = new Map<string, Channel>();
  #opening: Promise<void> | undefined;
  readonly #beatChannel = SUBSCRIPTION_BEAT_PREFIX + newId();
  #beatReceived = true;
  #wasReady = false;
  #resubscribing = false;
  /** Of a Cluster's client, as last seen. */
  #connection: object | null = null;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#client = runtime.openRedis("subscriber");
    this.#client.on("message", (channel: string, message: string) => {
      if (channel === this.#beatChannel) this.#beatReceived = true;
      else for (const listener of this.#channels.get(channel)?.listeners ?? []) listener.onMessage(message);
    });
    this.#client.on("ready", () => {
      if (this.#wasReady) setImmediate(() => void this.#afterReconnect());
      this.#wasReady = true;
    });
    this.#every(BEAT_EVERY_MS, () => void this.#beat());
  }

  #watchCluster(cluster: Cluster): void {
    const present = subscriberConnection(cluster);
    if (present === null || present === this.#connection) return;
    this.#connection = present;
    void this.#afterReconnect();
  }

  /** Resolves once the connection is subscribed; after a failure whoever asks next tries again. */
  open(): Promise<void> {
    this.#opening ??= this.#subscribeBeat().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #subscribeBeat(): Promise<void> {
    await this.#client.subscribe(this.#beatChannel);
    if (!("nodes" in this.#client)) return;
    const cluster = this.#client;
    this.#connection = subscriberConnection(cluster);
    this.#every(WATCH_EVERY_MS, () => this.#watchCluster(cluster));
  }

  #every(ms: number, work: () => void): void {
    const timer = setInterval(work, ms);
    timer.unref();
    this.#runtime.shutdown.add("subscriptions", () => clearInterval(timer));
  }

  async add(channel: string, listener: Listener): Promise<void> {
    const known = this.#channels.get(channel);
    const place = known ?? { listeners: [], subscribed: this.#client.subscribe(channel) };
    this.#channels.set(channel, place);
    place.listeners.push(listener);
    try {
      await place.subscribed;
    } catch (error) {
      // Who was told that it failed asks again, and is to be listed once.
      if (this.#channels.get(channel) === place) this.#channels.delete(channel);
      throw error;
    }
  }

  async #beat(): Promise<void> {
    if (!this.#beatReceived && this.#client.status === "ready" && !this.#resubscribing) {
      this.#runtime.log.warn("subscription was silent; its caches are cleared");
      this.#reportGap();
      this.#client.disconnect(true);
    }
    this.#beatReceived = false;
    // A beat that was not sent proves nothing about the subscription.
    await this.#runtime.redis.publish(this.#beatChannel, "").catch(() => (this.#beatReceived = true));
  }

  /**
   * Subscribes again, because a Cluster's client does not always do so by itself, and tries until it is done. What is
   * read before the server knows the subscriptions could be stale at once, so the gap ends behind them.
   */
  async #afterReconnect(): Promise<void> {
    if (this.#resubscribing) return;
    this.#resubscribing = true;
    while (!this.#runtime.shutdown.started && !(await this.#subscribeAll())) await Bun.sleep(WATCH_EVERY_MS);
    this.#resubscribing = false;
    // A beat from before could not arrive; taken for silence it would end this connection too, and so on for ever.
    this.#beatReceived = true;
    this.#reportGap();
  }

  /** False when it was refused, or not answered because the connection was given up meanwhile. */
  #subscribeAll(): Promise<boolean> {
    const subscribed = this.#client.subscribe(this.#beatChannel, ...this.#channels.keys()).then(
      () => true,
      () => false,
    );
    return Promise.race([subscribed, Bun.sleep(SUBSCRIBE_TIMEOUT_MS).then(() => false)]);
  }

  #reportGap(): void {
    for (const { listeners } of this.#channels.values()) for (const listener of listeners) listener.onGap?.();
  }
}

/** One connection for each runtime, opened with its first subscription. */
const known = new WeakMap<Runtime, Subscriptions>();

/**
 * Listens to a pub/sub channel over the process's one subscriber connection, which closes with the runtime.
 *
 * @param channel a name from `keys.ts`
 * @throws when Redis refuses the subscription; then nothing listens, and the call may be repeated
 */
export async function subscribe(runtime: Runtime, channel: string, listener: Listener): Promise<void> {
  let subscriptions = known.get(runtime);
  if (subscriptions === undefined) known.set(runtime, (subscriptions = new Subscriptions(runtime)));
  await subscriptions.open();
  await subscriptions.add(channel, listener);
}
