import type { Runtime } from "../runtime.ts";

const LISTEN_AGAIN_MS = 1_000;

/**
 * Subscribes until Redis takes it, for those who serve meanwhile: their caches' entries expire by themselves. Never
 * rejects; it gives up when the process ends.
 *
 * @param noun what the changes are of, for the log
 */
export async function untilListening(
  runtime: Pick<Runtime, "shutdown" | "log">,
  noun: string,
  listen: () => Promise<void>,
): Promise<void> {
  while (!runtime.shutdown.started) {
    try {
      await listen();
      return;
    } catch (error) {
      runtime.log.warn({ err: error }, `changes of ${noun} arrive late`);
      await Bun.sleep(LISTEN_AGAIN_MS);
    }
  }
}
