import { parentPort } from "node:worker_threads";
import { type PartnerRecipe, readX12Message, type X12Message } from "./read-x12-message.ts";

/** A body on its way to the thread; its memory moves with it. */
export interface ReadingTask {
  taskId: number;
  bytes: Uint8Array;
  partners: readonly PartnerRecipe[];
  time: Date;
}

export type ReadingReply = { taskId: number } & ({ message: X12Message } | { failure: string });

parentPort?.on("message", ({ taskId, bytes, partners, time }: ReadingTask) => {
  try {
    const message = readX12Message(bytes, partners, time);
    // Text crosses at once; the other side parses each set in its own turn.
    for (const { sets } of message.interchanges) {
      for (const set of sets) if (set.input !== null) set.input = JSON.stringify(set.input);
    }
    const reply: ReadingReply = { taskId, message };
    parentPort?.postMessage(reply, []);
  } catch (error) {
    const reply: ReadingReply = {
      taskId,
      failure: error instanceof Error ? error.message : String(error),
    };
    parentPort?.postMessage(reply, []);
  }
});
