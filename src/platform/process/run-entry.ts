import { StartError } from "./start-error.ts";

/**
 * Runs the entry of a process. What its operator can mend is told in words alone and ends it with code 1: behind source
 * lines and a stack the one line that matters would not be found.
 *
 * @throws whatever else the entry throws
 */
export async function runEntry(entry: () => Promise<void>): Promise<void> {
  try {
    await entry();
  } catch (error) {
    if (!(error instanceof StartError) && !isUsageError(error)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

/** Options that `parseArgs` of node:util does not know. */
function isUsageError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS_");
}
