/** One message between a process and its sandboxed child. The numbers' meaning belongs to the `kind`. */
export interface Frame {
  /** 0 to 255. */
  kind: number;
  /** Unsigned 32-bit. */
  a: number;
  /** Unsigned 32-bit. */
  b: number;
  /** Unsigned 32-bit. */
  c: number;
  text: string;
}

/** Kind of the first frame of a child: it has loaded. */
export const HELLO = 255;

/** Bytes before the text: its length (4), kind (1), a, b and c (4 each). */
const HEADER_BYTES = 17;

/** Longest text of one frame. A longer length can only come from a broken or hostile child. */
export const FRAME_TEXT_MAX_BYTES = 4 * 1024 * 1024;

/** Frames as one buffer: one write of many frames costs one system call. */
export function encodeFrames(frames: readonly Frame[]): Buffer {
  const lengths = frames.map((frame) => Buffer.byteLength(frame.text, "utf8"));
  const total = lengths.reduce((sum, length) => sum + HEADER_BYTES + length, 0);
  const buffer = Buffer.allocUnsafe(total);
  let offset = 0;
  for (const [index, frame] of frames.entries()) {
    const length = lengths[index] ?? 0;
    offset = buffer.writeUInt32LE(length, offset);
    offset = buffer.writeUInt8(frame.kind, offset);
    offset = buffer.writeUInt32LE(frame.a, offset);
    offset = buffer.writeUInt32LE(frame.b, offset);
    offset = buffer.writeUInt32LE(frame.c, offset);
    offset += buffer.write(frame.text, offset, length, "utf8");
  }
  return buffer;
}

/** Cuts a byte stream into frames; chunks may end anywhere. */
export class FrameReader {
  /** Chunks of a frame that is not complete yet: joined once, so that a large frame is not copied per chunk. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #neededBytes = HEADER_BYTES;

  /**
   * @param chunk bytes as they came; not copied, so the caller must not reuse the memory
   * @returns the frames completed by it
   * @throws RangeError when a frame announces more than `FRAME_TEXT_MAX_BYTES`
   */
  push(chunk: Buffer): Frame[] {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes < this.#neededBytes) return [];
    const bytes = this.#pending.length === 1 ? chunk : Buffer.concat(this.#pending);
    const frames: Frame[] = [];
    let offset = 0;
    this.#neededBytes = HEADER_BYTES;
    while (bytes.length - offset >= HEADER_BYTES) {
      const length = bytes.readUInt32LE(offset);
      if (length > FRAME_TEXT_MAX_BYTES) throw new RangeError(`Cannot read a frame of ${length} bytes`);
      const end = offset + HEADER_BYTES + length;
      if (end > bytes.length) {
        this.#neededBytes = HEADER_BYTES + length;
        break;
      }
      frames.push({
        kind: bytes.readUInt8(offset + 4),
        a: bytes.readUInt32LE(offset + 5),
        b: bytes.readUInt32LE(offset + 9),
        c: bytes.readUInt32LE(offset + 13),
        text: bytes.toString("utf8", offset + HEADER_BYTES, end),
      });
      offset = end;
    }
    const left = bytes.subarray(offset);
    this.#pending = left.length === 0 ? [] : [left];
    this.#pendingBytes = left.length;
    return frames;
  }
}
