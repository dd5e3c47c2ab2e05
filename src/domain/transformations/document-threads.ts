import type { Runtime } from "../../platform/runtime.ts";
import type { DocumentTasks, FromThread, TaskKind, ToThread } from "./document-tasks.ts";
import { jsonataPoolOf } from "./runtime-pool.ts";

/** Threads of a process: a document that takes long leaves the other one to the rest. */
const THREADS_MAX = 2;

/** Documents of one key that wait for a thread. */
const WAITING_PER_KEY_MAX = 100;

/** A thread that had nothing to do for so long is ended: it holds some tens of megabytes. */
const IDLE_MS = 60_000;

/** Why a task has no output. */
export class ThreadFailure extends Error {
  constructor(
    readonly code: "transform_timeout" | "transform_busy" | "transform_memory",
    message: string,
  ) {
    super(message);
  }
}

interface Task {
  taskId: number;
  key: string;
  kind: TaskKind;
  input: unknown;
  deadlineMs: number;
  resolve(output: unknown): void;
  reject(error: Error): void;
}

/**
 * Runs whole documents outside the event loop: those over 256 KB, and on the edge all of them. A thread does one at a
 * time; keys take turns; one that overruns its deadline is ended with its thread.
 */
export class DocumentThreads {
  readonly #runtime: Runtime;
  readonly #threads: DocumentThread[] = [];
  readonly #waiting = new Map<string, Task[]>();
  #lastTaskId = 0;
  #isClosed = false;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    runtime.shutdown.add("document threads", () => this.#close());
  }

  /**
   * @param options.key whose document it is; keys take turns
   * @throws ThreadFailure when it took too long, too many wait or the thread died
   */
  run<K extends TaskKind>(
    kind: K,
    input: DocumentTasks[K]["input"],
    options: { key: string; deadlineMs: number },
  ): Promise<DocumentTasks[K]["output"]> {
    const { key, deadlineMs } = options;
    const queue = this.#waiting.get(key) ?? [];
    if (this.#isClosed)
      return Promise.reject(new ThreadFailure("transform_busy", "The process is shutting down"));
    if (queue.length >= WAITING_PER_KEY_MAX) {
      const message = `${queue.length} documents of this template are waiting`;
      return Promise.reject(new ThreadFailure("transform_busy", message));
    }
    return new Promise((resolve, reject) => {
      const taskId = ++this.#lastTaskId;
      queue.push({ taskId, key, kind, input, deadlineMs, resolve: resolve as Task["resolve"], reject });
      this.#waiting.set(key, queue);
      this.#next();
    });
  }

  #next(): void {
    while (this.#waiting.size > 0 && !this.#isClosed) {
      const thread = this.#freeThread();
      if (thread === undefined) return;
      const [key, queue] = this.#waiting.entries().next().value!;
      const task = queue.shift()!;
      this.#waiting.delete(key);
      if (queue.length > 0) this.#waiting.set(key, queue);
      thread.start(task);
    }
  }

  #freeThread(): DocumentThread | undefined {
    const free = this.#threads.find((thread) => thread.isFree);
    if (free !== undefined || this.#threads.length >= THREADS_MAX) return free;
    const thread = new DocumentThread(this.#runtime, (ended) => {
      if (ended) this.#threads.splice(this.#threads.indexOf(thread), 1);
      this.#next();
    });
    this.#threads.push(thread);
    return thread;
  }

  #close(): void {
    this.#isClosed = true;
    for (const queue of this.#waiting.values())
      for (const task of queue)
        task.reject(new ThreadFailure("transform_busy", "The process is shutting down"));
    this.#waiting.clear();
    // Each leaves the list as it ends.
    for (const thread of this.#threads.slice()) thread.end("transform_busy", "The process is shutting down");
  }
}

/** One thread with the task that it works on. */
class DocumentThread {
  readonly #runtime: Runtime;
  readonly #worker: Worker;
  readonly #onFree: (ended: boolean) => void;
  #task: Task | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isEnded = false;

  constructor(runtime: Runtime, onFree: (ended: boolean) => void) {
    this.#runtime = runtime;
    this.#onFree = onFree;
    this.#worker = new Worker(new URL("./document-thread.ts", import.meta.url).href);
    this.#worker.addEventListener("message", (event: MessageEvent<FromThread>) => this.#hear(event.data));
    this.#worker.addEventListener("error", (event) =>
      this.end("transform_memory", `The document's thread failed: ${event.message}`),
    );
    this.#worker.addEventListener("close", () => this.end("transform_memory", "The document's thread ended"));
  }

  get isFree(): boolean {
    return this.#task === undefined && !this.#isEnded;
  }

  start(task: Task): void {
    this.#task = task;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.end("transform_timeout", `The transformation did not end within ${task.deadlineMs} ms`);
    }, task.deadlineMs);
    const { taskId, kind, input } = task;
    this.#worker.postMessage({ taskId, kind, input } as ToThread, []);
  }

  end(code: ThreadFailure["code"], message: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#worker.terminate();
    this.#task?.reject(new ThreadFailure(code, message));
    this.#task = undefined;
    this.#onFree(true);
  }

  #hear(message: FromThread): void {
    if ("ask" in message) return void this.#evaluate(message);
    const task = this.#task;
    if (task?.taskId !== message.taskId) return;
    this.#task = undefined;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.end("transform_busy", "The thread had nothing to do"), IDLE_MS);
    this.#timer.unref();
    if ("failure" in message) task.reject(new Error(message.failure));
    else task.resolve(message.output);
    this.#onFree(false);
  }

  async #evaluate({ ask, expression, input }: Extract<FromThread, { ask: number }>): Promise<void> {
    const key = this.#task?.key ?? "";
    const outcome = await jsonataPoolOf(this.#runtime).evaluate({ key, expression, input });
    if (!this.#isEnded) this.#worker.postMessage({ answerTo: ask, outcome } satisfies ToThread, []);
  }
}

const threads = new WeakMap<Runtime, DocumentThreads>();

/** The process's threads, started when first needed and ended with the runtime. */
export function documentThreadsOf(runtime: Runtime): DocumentThreads {
  let known = threads.get(runtime);
  if (known === undefined) threads.set(runtime, (known = new DocumentThreads(runtime)));
  return known;
}
