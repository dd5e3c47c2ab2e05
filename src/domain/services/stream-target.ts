import { serviceStreamKey } from "../../platform/redis/keys.ts";
import { bindScript, type RedisClient } from "../../platform/redis/script.ts";
import lua from "./push-stream.lua" with { type: "text" };
import type { SendOutcome, ServiceMessage } from "./service-message.ts";

/** Entries that a service's stream may hold before it counts as unavailable. */
export const SERVICE_STREAM_CAP = 100_000;
/** Messages in one call: nine values each, and Lua holds up everybody on this Redis while it runs. */
const BATCH_SIZE_MAX = 256;

interface Waiting {
  message: ServiceMessage;
  settle(outcome: SendOutcome): void;
  fail(error: unknown): void;
}

/** What Redis refuses for this stream alone: a key of another type, no memory for more entries. */
const STREAM_FAULT = /\b(WRONGTYPE|OOM)\b/;

const DELIVERED: SendOutcome = { ok: true };
const FULL: SendOutcome = {
  ok: false,
  retryable: true,
  code: "target_full",
  message: `The service's stream holds ${SERVICE_STREAM_CAP} entries that nobody has read`,
};

/** Puts messages into services' streams, those of one turn of the event loop with one script a service. */
export class StreamTarget {
  readonly #client: RedisClient;
  readonly #call: (keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #groupsMade = new Set<string>();

  constructor(client: RedisClient) {
    this.#client = client;
    this.#call = bindScript(client, { name: "hubPushStream", lua });
  }

  /** @throws when Redis does not answer; the message may stand in the stream, and the service sees its id twice then */
  send(serviceName: string, message: ServiceMessage): Promise<SendOutcome> {
    return new Promise((settle, fail) => {
      const waiting = this.#waiting.get(serviceName);
      if (waiting) {
        waiting.push({ message, settle, fail });
        return;
      }
      this.#waiting.set(serviceName, [{ message, settle, fail }]);
      setImmediate(() => this.#flush(serviceName));
    });
  }

  #flush(serviceName: string): void {
    const waiting = this.#waiting.get(serviceName) ?? [];
    this.#waiting.delete(serviceName);
    for (let start = 0; start < waiting.length; start += BATCH_SIZE_MAX) {
      void this.#push(serviceName, waiting.slice(start, start + BATCH_SIZE_MAX));
    }
  }

  async #push(serviceName: string, batch: readonly Waiting[]): Promise<void> {
    const args: (string | number | Buffer)[] = [serviceName, SERVICE_STREAM_CAP, batch.length];
    for (const { message } of batch) {
      const body = typeof message.body === "string" ? message.body : Buffer.from(message.body);
      args.push(message.id, message.tenantId, message.endpointId, message.type, message.handler);
      args.push(message.occurredAt, message.traceparent, message.contentType, body);
    }
    try {
      await this.#ensureGroup(serviceName);
      const added = Number(await this.#call([serviceStreamKey(serviceName)], args as (string | number)[]));
      batch.forEach(({ settle }, index) => settle(index < added ? DELIVERED : FULL));
    } catch (error) {
      const { message } = error as Error;
      if (!STREAM_FAULT.test(message)) {
        for (const { fail } of batch) fail(error);
        return;
      }
      const failed: SendOutcome = {
        ok: false,
        retryable: true,
        code: "target_unavailable",
        message: `Cannot write the service's stream: ${message}`,
      };
      for (const { settle } of batch) settle(failed);
    }
  }

  /** The script makes the group with the stream; this one is for a stream that somebody made without it. */
  async #ensureGroup(serviceName: string): Promise<void> {
    if (this.#groupsMade.has(serviceName)) return;
    const key = serviceStreamKey(serviceName);
    await this.#client.xgroup("CREATE", key, serviceName, "0", "MKSTREAM").catch((error: Error) => {
      if (!error.message.startsWith("BUSYGROUP")) throw error;
    });
    this.#groupsMade.add(serviceName);
  }
}
