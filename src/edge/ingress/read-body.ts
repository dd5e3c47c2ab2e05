/** Bytes of bodies that one process holds at a time; a sender whose body would exceed it gets 503. */
const BYTES_IN_FLIGHT_MAX = 256 * 1024 * 1024;

/** Bodies up to this size are read without being counted; the bound on requests bounds them (10,000 hold 160 MiB). */
const UNCOUNTED_BYTES = 16 * 1024;

/**
 * From here on the place of a body with a known length is made once and filled as it arrives: putting 20 MiB together at
 * the end holds up every other sender for 20 ms.
 */
const FILLED_BYTES = 256 * 1024;

/** Part of a body that has to be here before: what senders reserve by announcing is at most eight times what is counted. */
const FILLED_SHARE = 1 / 8;

/** Counts the bytes of bodies that are held, so that many large ones at once cannot exhaust the memory. */
export class BodyBudget {
  readonly #bytesMax: number;
  #bytesInFlight = 0;

  constructor(bytesMax = BYTES_IN_FLIGHT_MAX) {
    this.#bytesMax = bytesMax;
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  /** False when there is no room for so many bytes at the moment. */
  tryTake(bytes: number): boolean {
    if (this.#bytesInFlight + bytes > this.#bytesMax) return false;
    this.#bytesInFlight += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytesInFlight -= bytes;
  }
}

/**
 * What one request holds of the budget. It takes what has arrived and not what was announced: else a few hundred
 * connections that announce a megabyte each and send nothing would have every other sender refused.
 */
export class BodyShare {
  readonly #budget: BodyBudget;
  #bytes = 0;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  tryTake(bytes: number): boolean {
    const taken = this.#budget.tryTake(bytes);
    if (taken) this.#bytes += bytes;
    return taken;
  }

  /** Gives everything back. */
  release(): void {
    this.#budget.give(this.#bytes);
    this.#bytes = 0;
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
    if (contentLength === undefined) {
      return await readChunks(request, undefined, (length) => (length > maxBytes ? "too_large" : undefined));
    }
    return contentLength > maxBytes ? "too_large" : await readDeclared(request, contentLength);
  } catch {
    return "incomplete";
  }
}

/**
 * Like `readBody`, for bodies of strangers: what arrives is counted, and `busy` when there is no room for it.
 *
 * @param share to be released once the body is no longer needed, however this ends
 */
export async function readCountedBody(
  request: Request,
  contentLength: number | undefined,
  maxBytes: number,
  share: BodyShare,
): Promise<Uint8Array | "too_large" | "incomplete" | "busy"> {
  try {
    if ((contentLength ?? 0) > maxBytes) return "too_large";
    if (contentLength !== undefined && contentLength <= UNCOUNTED_BYTES) {
      return await readDeclared(request, contentLength);
    }
    return await readChunks(request, contentLength, (length, chunkLength) => {
      if (length > maxBytes) return "too_large";
      return share.tryTake(chunkLength) ? undefined : "busy";
    });
  } catch {
    return "incomplete";
  }
}

async function readDeclared(request: Request, contentLength: number): Promise<Uint8Array | "incomplete"> {
  const bytes = new Uint8Array(await request.arrayBuffer());
  return bytes.byteLength === contentLength ? bytes : "incomplete";
}

/** @param refuse asked with the bytes so far, and how many of them just came; what it answers ends the reading */
async function readChunks<Refusal extends string>(
  request: Request,
  contentLength: number | undefined,
  refuse: (length: number, chunkLength: number) => Refusal | undefined,
): Promise<Uint8Array | Refusal | "incomplete"> {
  if (request.body === null) return new Uint8Array(0);
  let chunks: Uint8Array[] = [];
  let filled: Uint8Array | undefined;
  let length = 0;
  const reader = request.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const at = length;
    length += value.byteLength;
    const refusal = length > (contentLength ?? length) ? "incomplete" : refuse(length, value.byteLength);
    if (refusal !== undefined) {
      await reader.cancel();
      return refusal;
    }
    if (filled !== undefined) {
      filled.set(value, at);
      continue;
    }
    chunks.push(value);
    if (contentLength !== undefined && length >= Math.max(FILLED_BYTES, contentLength * FILLED_SHARE)) {
      filled = new Uint8Array(contentLength);
      filled.set(Buffer.concat(chunks, length));
      chunks = [];
    }
  }
  if (length !== (contentLength ?? length)) return "incomplete";
  return filled ?? Buffer.concat(chunks, length);
}
