import { inboundKeys } from "../../platform/redis/keys.ts";
import type { RedisClient } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { inboundScripts } from "./inbound-scripts.ts";

/** How often each worker looks for what is due; several may, because the script is atomic. */
const MOVE_EVERY_MS = 200;

/** Members moved in one call: what came due at once is spread over several calls, so that Redis answers others between. */
const MOVE_COUNT = 200;

/**
 * Moves receipts whose waiting time is over back into their streams, for as long as the process lives.
 *
 * @returns stops it
 */
export function startMover(runtime: Runtime, client: RedisClient): () => void {
  const { moveDue } = inboundScripts(client);
  const stop = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const movePartition = async (partition: number): Promise<void> => {
    const keys = inboundKeys(partition);
    let moved = MOVE_COUNT;
    while (moved === MOVE_COUNT && !stop.signal.aborted) {
      moved = Number(await moveDue([keys.stream, keys.retry], [MOVE_COUNT]));
    }
  };
  const run = async (): Promise<void> => {
    try {
      for (let partition = 0; partition < runtime.config.streamPartitions; partition++)
        await movePartition(partition);
    } catch (error) {
      if (!stop.signal.aborted) runtime.log.warn({ err: error }, "due receipts not moved");
    }
    if (!stop.signal.aborted)
      timer = setTimeout(() => void run(), MOVE_EVERY_MS * (0.8 + Math.random() * 0.4));
  };
  void run();
  return () => {
    stop.abort();
    clearTimeout(timer);
  };
}
