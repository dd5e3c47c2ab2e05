import type { Runtime } from "../platform/runtime.ts";
import { UsageError } from "./usage-error.ts";

/** Options of a command, as given: `--slug acme`. */
export type Options = Readonly<Record<string, string | undefined>>;

/** One command of `bun run hub`. */
export interface Command {
  usage: string;
  about: string;
  /** Names of the options it takes. */
  options: readonly string[];
  /** Answers what is printed as JSON. */
  run(runtime: Runtime, options: Options): Promise<unknown>;
}

/** Who acts in the audit log when the command line does. */
export const ACTOR_ID = "cli";

/** @throws UsageError when the option was left out or is empty */
export function needed(name: string, value: string | undefined): string {
  if (value === undefined || value === "") throw new UsageError(`--${name} is needed`);
  return value;
}
