import { Command } from "ioredis";
import { LAST_SHARE } from "../process/within-time.ts";

/** What of a command its time limit needs; ioredis clears the timer when the command is settled. */
interface TimedCommand {
  _commandTimeoutTimer?: ReturnType<typeof setTimeout>;
  isSettled: boolean;
  reject(error: Error): void;
}

/**
 * Lets `commandTimeout` of every client count time in which the process could run (see `afterRunning`): a process that
 * stood still for a second would else tell all its senders 503, although Redis has answered each of them.
 */
export function timeCommandsWhileRunning(): void {
  Command.prototype.setTimeout = function (this: TimedCommand, timeoutMs: number): void {
    if (this._commandTimeoutTimer !== undefined) return;
    const end = (): void => {
      if (!this.isSettled) this.reject(new Error("Command timed out"));
    };
    const lastMs = timeoutMs * LAST_SHARE;
    this._commandTimeoutTimer = setTimeout(() => {
      this._commandTimeoutTimer = setTimeout(end, lastMs);
    }, timeoutMs - lastMs);
  };
}
