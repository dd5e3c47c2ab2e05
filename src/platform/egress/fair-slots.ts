/**
 * Bounds what is in flight, in all and for one key. Keys with work waiting are served in turn, and one key gets at most a
 * quarter of the slots, so that one that hangs leaves room for the others, unless its caller has a bound of its own.
 */
export class FairSlots {
  readonly #slots: number;
  readonly #slotsPerKey: number;
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #busy = new Map<string, number>();
  readonly #limits = new Map<string, () => number>();
  #used = 0;

  /** @param slots most in flight at once */
  constructor(slots: number) {
    this.#slots = slots;
    this.#slotsPerKey = Math.max(1, Math.floor(slots / 4));
  }

  /**
   * Takes a slot for the key; give it back with `release`.
   *
   * @param limit most slots of this key, asked anew each time that one may be given
   * @returns undefined when the slot is the caller's at once, else resolves when it is
   */
  acquire(key: string, limit?: () => number): Promise<void> | undefined {
    if (limit !== undefined) this.#limits.set(key, limit);
    if (this.#used < this.#slots && this.#mayTake(key) && !this.#waiting.has(key)) {
      this.#take(key);
      return undefined;
    }
    return new Promise((resolve) => {
      const queue = this.#waiting.get(key);
      if (queue) queue.push(resolve);
      else this.#waiting.set(key, [resolve]);
    });
  }

  release(key: string): void {
    this.#used--;
    const busy = (this.#busy.get(key) ?? 1) - 1;
    if (busy > 0) this.#busy.set(key, busy);
    else {
      this.#busy.delete(key);
      if (!this.#waiting.has(key)) this.#limits.delete(key);
    }
    this.#next();
  }

  /** Gives everyone who waits a slot, whatever the bounds, because nothing more is going to be sent. */
  letGo(): void {
    for (const [key, queue] of this.#waiting) {
      this.#waiting.delete(key);
      for (const resolve of queue) {
        this.#take(key);
        resolve();
      }
    }
  }

  #mayTake(key: string): boolean {
    const limit = this.#limits.get(key)?.() ?? this.#slotsPerKey;
    return (this.#busy.get(key) ?? 0) < Math.max(1, limit);
  }

  #take(key: string): void {
    this.#used++;
    this.#busy.set(key, (this.#busy.get(key) ?? 0) + 1);
  }

  /** Gives free slots to waiting keys; a key that got one goes to the end of the turn. */
  #next(): void {
    for (const [key, queue] of this.#waiting) {
      if (this.#used >= this.#slots) return;
      if (!this.#mayTake(key)) continue;
      const resolve = queue.shift()!;
      this.#waiting.delete(key);
      if (queue.length > 0) this.#waiting.set(key, queue);
      this.#take(key);
      resolve();
    }
  }
}
