import { readSync, writeSync } from "node:fs";
import type { Frame } from "./frames.ts";
import { encodeFrames, FrameReader, HELLO } from "./frames.ts";

const STDIN = 0;
const STDOUT = 1;

/** Linux pipes and socket pairs hand over at most about this much in one read. */
const CHUNK_BYTES = 256 * 1024;

/** Pause before another try where the descriptor is in non-blocking mode and nothing can be moved. */
const RETRY_MS = 0.2;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Runs `io` until it does not answer EAGAIN. */
function blocking(io: () => number): number {
  for (;;) {
    try {
      return io();
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error) || error.code !== "EAGAIN") throw error;
      Atomics.wait(sleeper, 0, 0, RETRY_MS);
    }
  }
}

/** Writes a frame to stdout before it returns. */
function answer(frame: Frame): void {
  const bytes = encodeFrames([frame]);
  let offset = 0;
  while (offset < bytes.length) {
    offset += blocking(() => writeSync(STDOUT, bytes, offset, bytes.length - offset));
  }
}

/**
 * The child's side: hands each frame of stdin to `handle`, one at a time, in order, until stdin ends. Reading and
 * writing block, because a child has nothing else to do, and each answer leaves before the next frame is begun: the
 * parent knows from it which one the child is at.
 */
export async function serveFrames(handle: (frame: Frame) => Promise<Frame | undefined>): Promise<void> {
  answer({ kind: HELLO, a: 0, b: 0, c: 0, text: "" });
  const reader = new FrameReader();
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const length = blocking(() => readSync(STDIN, chunk, 0, CHUNK_BYTES, null));
    if (length === 0) return;
    for (const frame of reader.push(chunk.subarray(0, length))) {
      // oxlint-disable-next-line no-await-in-loop -- one at a time is the contract
      const result = await handle(frame);
      if (result !== undefined) answer(result);
    }
  }
}
