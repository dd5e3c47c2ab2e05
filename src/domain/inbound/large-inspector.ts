import type { Runtime } from "../../platform/runtime.ts";
import type { Inspection, InspectionRecipe } from "./inspect-webhook.ts";
import type { InspectionReply, InspectionTask } from "./inspect-thread.ts";
import type { SignedRequest } from "./schemes/scheme.ts";

/** From this size a body is inspected in a thread: hashing and parsing 20 MiB takes as long as 5,000 small requests. */
export const LARGE_INSPECTION_BYTES = 1024 * 1024;

interface Pending {
  resolve(reply: { inspection: Inspection; body: Uint8Array }): void;
  reject(error: Error): void;
}

/** Inspects large bodies outside the event loop, one after the other; the thread is started when first needed. */
export class LargeInspector {
  readonly #pending = new Map<number, Pending>();
  #thread: Worker | undefined;
  #lastTaskId = 0;

  constructor(runtime: Runtime) {
    runtime.shutdown.add("inspection thread", () => this.#thread?.terminate());
  }

  /**
   * @returns what it is, and the body again: its memory was with the thread meanwhile
   * @throws Error when the thread died
   */
  inspect(
    recipe: InspectionRecipe,
    request: SignedRequest,
  ): Promise<{ inspection: Inspection; body: Uint8Array }> {
    const task: InspectionTask = {
      taskId: ++this.#lastTaskId,
      recipe,
      method: request.method,
      publicUrl: request.publicUrl(),
      headers: request.headers.toJSON(),
      query: String(request.query),
      rawBody: request.rawBody,
      nowMs: request.nowMs,
    };
    return new Promise((resolve, reject) => {
      this.#pending.set(task.taskId, { resolve, reject });
      this.#started().postMessage(task, [request.rawBody.buffer as ArrayBuffer]);
    });
  }

  #started(): Worker {
    if (this.#thread !== undefined) return this.#thread;
    const thread = new Worker(new URL("./inspect-thread.ts", import.meta.url).href);
    thread.addEventListener("message", (event: MessageEvent<InspectionReply>) => {
      const reply = event.data;
      const pending = this.#pending.get(reply.taskId);
      this.#pending.delete(reply.taskId);
      if ("failure" in reply) pending?.reject(new Error(reply.failure));
      else pending?.resolve(reply);
    });
    const onEnd = (message: string): void => {
      if (this.#thread !== thread) return;
      this.#thread = undefined;
      thread.terminate();
      for (const { reject } of this.#pending.values()) reject(new Error(message));
      this.#pending.clear();
    };
    thread.addEventListener("error", (event) => onEnd(`The inspection thread failed: ${event.message}`));
    thread.addEventListener("close", () => onEnd("The inspection thread ended"));
    return (this.#thread = thread);
  }
}
