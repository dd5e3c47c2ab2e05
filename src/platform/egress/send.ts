import type { AddressPolicy } from "./address-policy.ts";
import type { EgressRequest, EgressResult } from "./exchange.ts";
import { FairSlots } from "./fair-slots.ts";

/** Bytes of an answer that are read; the rest is cut off, which costs the connection. */
const RESPONSE_BYTES_MAX = 64 * 1024;
/** Bun keeps 64 idle sockets a process: above that every request makes a new connection. */
const IN_FLIGHT_MAX = 64;

/** Sends HTTP requests with bounded concurrency, without following redirects, and never waits for ever. */
export class Sender {
  readonly #slots = new FairSlots(IN_FLIGHT_MAX);
  readonly #policy: AddressPolicy;

  constructor(options: { policy: AddressPolicy; dnsServers?: readonly string[] }) {
    this.#policy = options.policy;
  }

  close(): void {}

  /** Never rejects. */
  async send(request: EgressRequest): Promise<EgressResult> {
    await this.#slots.acquire(request.key, request.slots);
    if (request.mayStart?.() === false) {
      this.#slots.release(request.key);
      return { kind: "withheld" };
    }
    const startedAt = performance.now();
    const elapsed = (): number => Math.round(performance.now() - startedAt);
    try {
      const target = this.#policy.checkUrl(request.url, request.policy);
      if ("code" in target) return { kind: "refused", ...target, timings: { totalMs: elapsed() } };
      const response = await fetch(request.url, {
        method: request.method,
        headers: request.headers as Record<string, string>,
        body: (request.body ?? null) as BodyInit,
        redirect: "manual",
        signal: AbortSignal.timeout(request.timeoutMs),
      });
      const body = await readCapped(response);
      return {
        kind: "response",
        status: response.status,
        headers: response.headers,
        body,
        bodyTruncated: body.byteLength >= RESPONSE_BYTES_MAX,
        timings: { totalMs: elapsed() },
      };
    } catch (error) {
      const { name, message } = error as Error;
      if (name === "TimeoutError") {
        return {
          kind: "timeout",
          phase: "read",
          sent: true,
          message: `no answer within ${request.timeoutMs} ms`,
          timings: { totalMs: elapsed() },
        };
      }
      return {
        kind: "error",
        phase: "read",
        sent: true,
        code: "connection_failed",
        message,
        timings: { totalMs: elapsed() },
      };
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
