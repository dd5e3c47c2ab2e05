/** Bytes of bodies that one process holds at a time; a sender that would exceed it gets 503 before its body is read. */
const BYTES_IN_FLIGHT_MAX = 256 * 1024 * 1024;

/** Counts the bodies being read, so that many large ones at once cannot exhaust the memory. */
export class BodyBudget {
  #bytesInFlight = 0;

  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  /** False when there is no room for so many bytes at the moment. */
  tryTake(bytes: number): boolean {
    if (this.#bytesInFlight + bytes > BYTES_IN_FLIGHT_MAX) return false;
    this.#bytesInFlight += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytesInFlight -= bytes;
  }
}

/**
 * Reads a body's exact bytes up to `maxBytes`; a body that is longer, or that its client did not finish, is no body.
 *
 * @param contentLength declared length, undefined for a chunked body
 */
export async function readBody(
  request: Request,
  contentLength: number | undefined,
  maxBytes: number,
): Promise<Uint8Array | "too_large" | "incomplete"> {
  try {
    if (contentLength !== undefined) {
      if (contentLength > maxBytes) return "too_large";
      const bytes = new Uint8Array(await request.arrayBuffer());
      return bytes.byteLength === contentLength ? bytes : "incomplete";
    }
    return await readChunked(request, maxBytes);
  } catch {
    return "incomplete";
  }
}

async function readChunked(request: Request, maxBytes: number): Promise<Uint8Array | "too_large"> {
  if (request.body === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.byteLength;
    if (length > maxBytes) {
      await reader.cancel();
      return "too_large";
    }
    chunks.push(value);
  }
  return Buffer.concat(chunks, length);
}
