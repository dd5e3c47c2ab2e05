import { FairSlots } from "./fair-slots.ts";

/** One HTTP request out. */
export interface EgressRequest {
  /** Fairness key: the target, so that one that hangs does not take all slots. */
  key: string;
  url: string;
  method: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array | string;
  /** Time for the whole exchange, counted from when a slot is free. */
  timeoutMs: number;
  /** Asked once a slot is free: false when the target has failed meanwhile and the request is not to be sent. */
  mayStart(): boolean;
}

/** What came back. `withheld`: not sent; `error`: no complete answer; `timeout`: none in time. */
export type EgressResult =
  | { kind: "withheld" }
  | { kind: "response"; status: number; headers: Headers; body: Uint8Array; elapsedMs: number }
  | { kind: "timeout"; message: string; elapsedMs: number }
  | { kind: "error"; message: string; elapsedMs: number };

/** Bytes of an answer that are read; the rest is cut off, which costs the connection. */
const RESPONSE_BYTES_MAX = 64 * 1024;
/** Bun keeps 64 idle sockets a process: above that every request makes a new connection. */
const IN_FLIGHT_MAX = 64;

/** Sends HTTP requests with bounded concurrency, without following redirects, and never waits for ever. */
export class Sender {
  readonly #slots = new FairSlots(IN_FLIGHT_MAX);

  /** Never rejects. */
  async send(request: EgressRequest): Promise<EgressResult> {
    await this.#slots.acquire(request.key);
    if (!request.mayStart()) {
      this.#slots.release(request.key);
      return { kind: "withheld" };
    }
    const startedAt = performance.now();
    const elapsed = (): number => Math.round(performance.now() - startedAt);
    try {
      const response = await fetch(request.url, {
        method: request.method,
        headers: request.headers as Record<string, string>,
        body: request.body as BodyInit,
        redirect: "manual",
        signal: AbortSignal.timeout(request.timeoutMs),
      });
      const body = await readCapped(response);
      return {
        kind: "response",
        status: response.status,
        headers: response.headers,
        body,
        elapsedMs: elapsed(),
      };
    } catch (error) {
      const { name, message } = error as Error;
      if (name === "TimeoutError") {
        return { kind: "timeout", message: `no answer within ${request.timeoutMs} ms`, elapsedMs: elapsed() };
      }
      return { kind: "error", message, elapsedMs: elapsed() };
    } finally {
      this.#slots.release(request.key);
    }
  }
}

/** Reads an answer to its end, because a connection with unread bytes cannot be used again; stops at the cap. */
async function readCapped(response: Response): Promise<Uint8Array> {
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  if (length <= RESPONSE_BYTES_MAX) return response.bytes();
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value.subarray(0, RESPONSE_BYTES_MAX - size));
    size += value.byteLength;
    if (size >= RESPONSE_BYTES_MAX) {
      await reader.cancel();
      break;
    }
  }
  return Buffer.concat(chunks);
}
