/** One call's wait: for a time, for a wake-up that may come before it, or until its caller leaves. */
export class Waiter {
  readonly #signal: AbortSignal | undefined;
  #isWoken = false;
  #end: (() => void) | undefined;

  /** @param signal its firing ends the sleep too */
  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Ends the sleep, or the next one when it comes in between. */
  wake(): void {
    if (this.#end === undefined) this.#isWoken = true;
    else this.#end();
  }

  async sleep(ms: number): Promise<void> {
    const wake = (): void => this.wake();
    if (!this.#isWoken && this.#signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.ceil(ms));
        this.#end = () => {
          clearTimeout(timer);
          resolve();
        };
        this.#signal?.addEventListener("abort", wake, { once: true });
      });
      this.#signal?.removeEventListener("abort", wake);
    }
    this.#isWoken = false;
    this.#end = undefined;
  }
}
