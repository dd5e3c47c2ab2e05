import { Command } from "ioredis";
import { LAST_SHARE } from "../process/within-time.ts";

/** Where ioredis keeps the timer of a command, which it clears when the command is settled. */
const TIMER = "_commandTimeoutTimer";

interface TimedCommand {
  [TIMER]?: ReturnType<typeof setTimeout>;
  isSettled: boolean;
  reject(error: Error): void;
}

/**
 * Lets `commandTimeout` of every client count time in which the machine could run (see `afterRunning`): after a stand
 * still of a second all senders would else be told 503, although Redis answers each of them the moment it runs again.
 */
export function timeCommandsWhileRunning(): void {
  Command.prototype.setTimeout = function (this: TimedCommand, timeoutMs: number): void {
    if (this[TIMER] !== undefined) return;
    const end = (): void => {
      if (!this.isSettled) this.reject(new Error("Command timed out"));
    };
    const lastMs = timeoutMs * LAST_SHARE;
    this[TIMER] = setTimeout(() => {
      this[TIMER] = setTimeout(end, lastMs);
    }, timeoutMs - lastMs);
  };
}
