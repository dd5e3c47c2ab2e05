import type { Runtime } from "../../platform/runtime.ts";
import { type PartnerRecipe, readX12Message, type X12Message } from "./read-x12-message.ts";
import type { ReadingReply, ReadingTask } from "./reading-thread.ts";

/** From this size a body is read in a thread: it would hold up what else the process does. */
const THREAD_BYTES_MIN = 256 * 1024;

/** Longest time for one body: the slowest that was tried (a mebibyte of faults) takes a second. */
const DEADLINE_MS = 30_000;

interface Pending {
  resolve(message: X12Message): void;
  reject(error: Error): void;
}

/** Reads bodies of X12, large ones outside the event loop; the thread is started when first needed. */
export class MessageReader {
  readonly #pending = new Map<number, Pending>();
  #thread: Worker | undefined;
  #lastTaskId = 0;

  constructor(runtime: Runtime) {
    runtime.shutdown.add("X12 thread", () => this.#thread?.terminate());
  }

  /** @throws Error when the thread died or took too long; the body may be read again */
  read(bytes: Uint8Array, partners: readonly PartnerRecipe[], time: Date): X12Message | Promise<X12Message> {
    if (bytes.byteLength < THREAD_BYTES_MIN) return readX12Message(bytes, partners, time);
    // The body is needed again afterwards, so the thread gets a copy.
    const task: ReadingTask = { taskId: ++this.#lastTaskId, bytes: bytes.slice(), partners, time };
    return new Promise<X12Message>((resolve, reject) => {
      this.#pending.set(task.taskId, { resolve, reject });
      const thread = this.#started();
      setTimeout(() => {
        if (this.#pending.has(task.taskId)) this.#end(thread, "Reading the X12 document took too long");
      }, DEADLINE_MS).unref();
      thread.postMessage(task, [task.bytes.buffer as ArrayBuffer]);
    });
  }

  #started(): Worker {
    if (this.#thread !== undefined) return this.#thread;
    const thread = new Worker(new URL("./reading-thread.ts", import.meta.url).href);
    thread.addEventListener("message", (event: MessageEvent<ReadingReply>) => {
      const reply = event.data;
      const pending = this.#pending.get(reply.taskId);
      this.#pending.delete(reply.taskId);
      if ("failure" in reply) pending?.reject(new Error(reply.failure));
      else pending?.resolve(reply.message);
    });
    thread.addEventListener("error", (event) => this.#end(thread, `The X12 thread failed: ${event.message}`));
    thread.addEventListener("close", () => this.#end(thread, "The X12 thread ended"));
    return (this.#thread = thread);
  }

  #end(thread: Worker, message: string): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    thread.terminate();
    for (const { reject } of this.#pending.values()) reject(new Error(message));
    this.#pending.clear();
  }
}

const readers = new WeakMap<Runtime, MessageReader>();

/** The process's reader. */
export function messageReaderOf(runtime: Runtime): MessageReader {
  let reader = readers.get(runtime);
  if (reader === undefined) readers.set(runtime, (reader = new MessageReader(runtime)));
  return reader;
}
