import { decodeText, findBrokenUtf16, readMark, type SourceEncoding } from "./source-text.ts";
import { findBrokenUtf8, incompleteTail } from "./utf8.ts";

/** Bytes of a stream as they come. */
export type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** What a parser is given at once: its results are in memory together, and each piece costs some work of its own. */
const PIECE_BYTES = 65_536;

export interface DecodedChunks {
  encoding: SourceEncoding;
  markBytes: number;
  /** Pieces of the text; none ends inside a character or between CR and LF. Throws `BrokenBytes`. */
  pieces: AsyncIterable<string>;
}

/** Bytes that the encoding does not have, with the text in front of them that no piece has brought yet. */
export class BrokenBytes extends Error {
  readonly before: string;

  constructor(before: string) {
    super("The stream has bytes that are not of its encoding");
    this.before = before;
  }
}

/**
 * Decodes a stream piece by piece.
 *
 * @param detect tells the encoding by the first bytes
 */
export async function decodeChunks(
  chunks: Chunks,
  detect: (head: Uint8Array) => SourceEncoding,
): Promise<DecodedChunks> {
  const blocks = collectBlocks(chunks);
  const first = await blocks.next();
  const head = first.done === true ? new Uint8Array() : first.value;
  const encoding = detect(head);
  const markBytes = readMark(head)?.markBytes ?? 0;
  return { encoding, markBytes, pieces: decodeBlocks(head.subarray(markBytes), blocks, encoding) };
}

/** Blocks of one size, but for the last, of chunks of any. */
async function* collectBlocks(chunks: Chunks): AsyncGenerator<Uint8Array, void> {
  let block = new Uint8Array(PIECE_BYTES);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.byteLength;) {
      const part = chunk.subarray(from, from + PIECE_BYTES - filled);
      block.set(part, filled);
      filled += part.byteLength;
      from += part.byteLength;
      if (filled < PIECE_BYTES) continue;
      yield block;
      block = new Uint8Array(PIECE_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

async function* decodeBlocks(
  head: Uint8Array,
  rest: AsyncGenerator<Uint8Array, void>,
  encoding: SourceEncoding,
): AsyncGenerator<string, void> {
  let tail: Uint8Array = new Uint8Array();
  let held = "";
  let block: Uint8Array | undefined = head;
  try {
    while (block !== undefined) {
      const bytes: Uint8Array = tail.byteLength === 0 ? block : Buffer.concat([tail, block]);
      const whole = bytes.byteLength - tailLength(bytes, encoding);
      const text = decodeAfter(held, bytes.subarray(0, whole), encoding);
      tail = bytes.subarray(whole);
      held = text.endsWith("\r") ? "\r" : "";
      if (text.length > held.length) yield text.slice(0, text.length - held.length);
      const next = await rest.next();
      block = next.done === true ? undefined : next.value;
    }
    const last = decodeAfter(held, tail, encoding);
    if (last !== "") yield last;
  } finally {
    await rest.return();
  }
}

/** Bytes at the end that are not a whole character yet. */
function tailLength(bytes: Uint8Array, encoding: SourceEncoding): number {
  if (encoding === "utf-8") return incompleteTail(bytes);
  if (encoding !== "utf-16le" && encoding !== "utf-16be") return 0;
  const odd = bytes.byteLength % 2;
  const last = bytes[bytes.byteLength - odd - (encoding === "utf-16le" ? 1 : 2)];
  return last !== undefined && (last & 0xfc) === 0xd8 ? odd + 2 : odd;
}

function decodeAfter(held: string, bytes: Uint8Array, encoding: SourceEncoding): string {
  try {
    return held + decodeText(bytes, encoding);
  } catch {
    const broken = encoding === "utf-8" ? findBrokenUtf8(bytes) : findBrokenUtf16(bytes, encoding);
    throw new BrokenBytes(held + decodeText(bytes.subarray(0, broken), encoding));
  }
}
