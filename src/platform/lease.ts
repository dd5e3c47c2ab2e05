import { bindScript } from "./redis/script.ts";
import type { Runtime } from "./runtime.ts";
import { newId } from "./uuid.ts";
import lua from "./lease.lua" with { type: "text" };

/** The right to do one thing alone, for as long as `isHeld` says so. */
export interface Lease {
  /** Grows with each holder: work that carries a smaller one is of an earlier holder. */
  readonly token: number;
  /**
   * Judged without asking anybody: false from a while before the lease ends at the server, also when this process was
   * stopped (SIGSTOP, a long pause of its machine) and the renewals did not run. Ask it before each lasting step.
   */
  isHeld(): boolean;
  /** Aborted once the lease is lost or given back. */
  readonly ended: AbortSignal;
}

export interface LeaseOptions {
  /** Name from `keys.ts`. */
  key: string;
  /** How long the others wait after this process died; it is renewed three times in that time. */
  ttlMs: number;
  /** Told once, when the lease is won; what it starts has to end when `lease.ended` is aborted. */
  onHeld(lease: Lease): void;
}

/** The end is assumed this share of the lifetime earlier than the server's, for the way there and unequal clocks. */
const SAFETY_SHARE = 0.2;

/**
 * Tries for a lease for as long as the process lives, and keeps it while it can.
 *
 * @returns stops trying and gives the lease back
 */
export function competeForLease(runtime: Runtime, options: LeaseOptions): () => Promise<void> {
  const { key, ttlMs, onHeld } = options;
  const holder = newId();
  const call = bindScript(runtime.redis, { name: "hubLease", lua });
  const held = new HeldLease(ttlMs);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  let running: Promise<void> = Promise.resolve();

  const attempt = async (): Promise<void> => {
    const askedAtMs = performance.now();
    try {
      const token = Number(await call([key], ["hold", holder, ttlMs]));
      if (token === 0) held.end();
      else if (held.renew(token, askedAtMs)) onHeld(held.current!);
    } catch (error) {
      runtime.log.warn({ err: error, key }, "lease not renewed");
      if (!held.isHeld()) held.end();
    }
    if (!stopped) schedule((ttlMs / 3) * (0.9 + Math.random() * 0.2));
  };
  const schedule = (delayMs: number): void => {
    timer = setTimeout(() => {
      running = attempt();
    }, delayMs);
    timer.unref();
  };
  running = attempt();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await running;
    clearTimeout(timer);
    const wasHeld = held.current !== undefined;
    held.end();
    if (wasHeld) await call([key], ["release", holder, ttlMs]).catch(() => undefined);
  };
}

/** What this process knows of its own lease. */
class HeldLease {
  readonly #ttlMs: number;
  #controller = new AbortController();
  #validUntilMs = 0;
  current: Lease | undefined;

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /** @returns true when it is a new lease and not the one held before */
  renew(token: number, askedAtMs: number): boolean {
    const isNew = this.current?.token !== token;
    if (isNew) {
      this.end();
      const controller = new AbortController();
      this.#controller = controller;
      this.current = {
        token,
        ended: controller.signal,
        isHeld: () => !controller.signal.aborted && this.isHeld(),
      };
    }
    this.#validUntilMs = askedAtMs + this.#ttlMs * (1 - SAFETY_SHARE);
    return isNew;
  }

  isHeld(): boolean {
    return this.current !== undefined && performance.now() < this.#validUntilMs;
  }

  end(): void {
    this.#controller.abort();
    this.current = undefined;
  }
}
