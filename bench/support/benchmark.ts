import type { FlagTable, FlagValues } from "./command-line.ts";

/** One benchmark: `bun run bench <name> [flags]`. */
export interface Benchmark<F extends FlagTable = FlagTable> {
  name: string;
  /** One line for the list. */
  summary: string;
  /** What is measured against what, for `--help`. */
  about: string;
  flags: F;
  /** Prints its tables; the last line that it prints is one JSON object. */
  run(flags: FlagValues<F>): Promise<void>;
}

/** Keeps the flags' types inside a benchmark and forgets them outside, where only the name and the help matter. */
export function defineBenchmark<F extends FlagTable>(benchmark: Benchmark<F>): Benchmark {
  return benchmark as unknown as Benchmark;
}
