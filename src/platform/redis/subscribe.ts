import type { Redis } from "ioredis";
import type { Runtime } from "../runtime.ts";
import { newId } from "../uuid.ts";
import { masterNodes } from "./info.ts";
import { SUBSCRIPTION_BEAT_PREFIX } from "./keys.ts";

/** What a listener of one channel does. */
export interface Listener {
  onMessage(message: string): void;
  /** Messages may have been missed: the connection was away, or a beat did not come back. */
  onGap?(): void;
}

/**
 * How often a process sends itself a message through every master, to notice a subscription that is silently dead:
 * half-open TCP, a server that has left its Cluster, masters that do not reach one another.
 */
const BEAT_EVERY_MS = 3000;

/** How often until every master's beat has come back over a new connection. */
const TRIAL_BEAT_EVERY_MS = 250;

/** A new connection over which the beats do not come back by then is given up for another. */
const TRIAL_TIMEOUT_MS = 3000;

/** A subscription that is not confirmed by then is asked for again. */
const SUBSCRIBE_TIMEOUT_MS = 2000;

const SUBSCRIBE_AGAIN_MS = 250;

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
  /** Masters that took a beat, and whether it came back; of the present round, or of all rounds of a trial. */
  readonly #beats = new Map<string, boolean>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the connection began to be tried, by `performance.now()`; undefined: every master's beat has come back. */
  #triedSinceMs: number | undefined;
  #wasReady = false;
  #resubscribing = false;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#client = runtime.openRedis("subscriber");
    this.#client.on("message", (channel: string, message: string) => {
      if (channel === this.#beatChannel) this.#onBeat(message);
      else this.#tell(channel, message);
    });
    this.#client.on("ready", () => {
      if (this.#wasReady) setImmediate(() => void this.#afterReconnect());
      this.#wasReady = true;
    });
    runtime.shutdown.add("subscriptions", () => clearTimeout(this.#timer));
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
    this.#startTrial();
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

  #tell(channel: string, message: string): void {
    for (const listener of this.#channels.get(channel)?.listeners ?? []) {
      try {
        listener.onMessage(message);
      } catch (error) {
        // Anybody with access to Redis can send one; the others are not to miss what follows.
        this.#runtime.log.warn({ err: error, channel }, "message of a channel not understood");
      }
    }
  }

  /** A confirmed subscription is no proof: masters that have just met may not pass on one another's messages yet. */
  #startTrial(): void {
    this.#triedSinceMs = performance.now();
    this.#beats.clear();
    void this.#beat();
  }

  async #beat(): Promise<void> {
    await Promise.all(masterNodes(this.#runtime.redis).map((node) => this.#sendBeat(node)));
    this.#endTrial();
    // A trial may have begun meanwhile, with a timer of its own.
    clearTimeout(this.#timer);
    if (this.#runtime.shutdown.started) return;
    const pauseMs = this.#triedSinceMs === undefined ? BEAT_EVERY_MS : TRIAL_BEAT_EVERY_MS;
    this.#timer = setTimeout(() => this.#judge(), pauseMs);
    this.#timer.unref();
  }

  async #sendBeat(node: Redis): Promise<void> {
    const name = `${node.options.host}:${node.options.port}`;
    try {
      await node.publish(this.#beatChannel, name);
      if (!this.#beats.has(name)) this.#beats.set(name, false);
    } catch {
      // A beat that was not sent proves nothing about the subscription.
    }
  }

  #onBeat(node: string): void {
    this.#beats.set(node, true);
  }

  #isSilent(): boolean {
    return [...this.#beats.values()].includes(false);
  }

  /** What was sent before every master's beat came back may be missing. */
  #endTrial(): void {
    if (this.#triedSinceMs === undefined || this.#resubscribing) return;
    if (this.#beats.size === 0 || this.#isSilent()) return;
    this.#triedSinceMs = undefined;
    this.#reportGap();
  }

  #judge(): void {
    this.#endTrial();
    const sinceMs = this.#triedSinceMs ?? -Infinity;
    const isDue = performance.now() - sinceMs > TRIAL_TIMEOUT_MS;
    if (isDue && this.#isSilent() && this.#client.status === "ready" && !this.#resubscribing) this.#giveUp();
    if (this.#triedSinceMs === undefined) this.#beats.clear();
    void this.#beat();
  }

  #giveUp(): void {
    this.#runtime.log.warn("subscription was silent; its caches are cleared");
    this.#triedSinceMs = performance.now();
    this.#beats.clear();
    this.#reportGap();
    this.#client.disconnect(true);
  }

  /**
   * Subscribes until it is confirmed. What is read before the server knows the subscriptions could be stale at once, so
   * the gap ends behind them.
   */
  async #afterReconnect(): Promise<void> {
    if (this.#resubscribing) return;
    this.#resubscribing = true;
    while (!this.#runtime.shutdown.started && !(await this.#subscribeAll()))
      await Bun.sleep(SUBSCRIBE_AGAIN_MS);
    this.#resubscribing = false;
    this.#reportGap();
    this.#startTrial();
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
