import { readFileSync } from "node:fs";

interface ProcessorTimes {
  all: number;
  idle: number;
}

/** Share of an earlier value that stays in the next one: the kernel counts in ticks of 10 ms, too coarse alone. */
const SMOOTHING = 0.7;

/** How much of the machine's processor time nobody uses, whoever else runs on it. */
export class IdleShare {
  #before = readTimes();
  #share: number | undefined;

  /**
   * Looks at what passed since the call before.
   *
   * @returns 0 to 1, smoothed; undefined where the kernel does not tell (no /proc)
   */
  sample(): number | undefined {
    const before = this.#before;
    const now = readTimes();
    this.#before = now;
    if (before === undefined || now === undefined || now.all <= before.all) return this.#share;
    const share = (now.idle - before.idle) / (now.all - before.all);
    this.#share = this.#share === undefined ? share : SMOOTHING * this.#share + (1 - SMOOTHING) * share;
    return this.#share;
  }
}

/** Ticks of all processors since the machine began (proc(5), /proc/stat); guests are counted in `user` already. */
function readTimes(): ProcessorTimes | undefined {
  try {
    const line = readFileSync("/proc/stat", "latin1").split("\n", 1)[0]!;
    const ticks = line.split(/ +/).slice(1, 9).map(Number);
    const [, , , idle = 0, waitingForDisk = 0] = ticks;
    return { all: ticks.reduce((sum, count) => sum + count, 0), idle: idle + waitingForDisk };
  } catch {
    return undefined;
  }
}
