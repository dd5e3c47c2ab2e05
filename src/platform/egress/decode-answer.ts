import { promisify } from "node:util";
import { brotliDecompress, constants, gunzip, inflate } from "node:zlib";
import { AnswerError } from "./response-parser.ts";

const gunzipAsync = promisify(gunzip);
const inflateAsync = promisify(inflate);
const brotliAsync = promisify(brotliDecompress);

/** Decoded bytes for each byte that is kept: what expands further is a bomb. */
const EXPANSION_MAX = 16;

/**
 * Undoes an answer's `Content-Encoding` (RFC 9110 section 8.4.1), on the thread pool and with bounded output. What was
 * cut off is decoded as far as it goes; an encoding that is unknown, doubled or broken is left as it came, because the
 * status is what counts.
 *
 * @param bytes the first bytes of the body, `keptMax` of them at most
 * @returns `keptMax` bytes at most, and whether there were more
 * @throws AnswerError `response_too_large` for a bomb
 */
export async function decodeAnswer(
  bytes: Uint8Array,
  contentEncoding: string,
  keptMax: number,
): Promise<{ body: Uint8Array; cut: boolean }> {
  const maxOutputLength = keptMax * EXPANSION_MAX;
  const zlibOptions = { maxOutputLength, finishFlush: constants.Z_SYNC_FLUSH };
  let decoded: Uint8Array;
  try {
    const coding = contentEncoding.trim().toLowerCase();
    if (coding === "gzip" || coding === "x-gzip") decoded = await gunzipAsync(bytes, zlibOptions);
    else if (coding === "deflate") decoded = await inflateAsync(bytes, zlibOptions);
    else if (coding === "br") {
      const finishFlush = constants.BROTLI_OPERATION_FLUSH;
      decoded = await brotliAsync(bytes, { maxOutputLength, finishFlush });
    } else return { body: bytes, cut: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_BUFFER_TOO_LARGE") return { body: bytes, cut: false };
    throw new AnswerError("response_too_large", `The answer expands to more than ${maxOutputLength} bytes`);
  }
  const cut = decoded.byteLength > keptMax;
  return { body: cut ? decoded.slice(0, keptMax) : decoded, cut };
}
