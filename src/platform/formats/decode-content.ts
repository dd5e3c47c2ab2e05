import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate, inflateRaw } from "node:zlib";

type Inflate = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer>;

/** Codings of `Content-Encoding` (RFC 9110, section 8.4.1; RFC 7932). They run on the thread pool, not on the loop. */
const CODINGS: Readonly<Record<string, readonly Inflate[]>> = {
  gzip: [promisify(gunzip)],
  "x-gzip": [promisify(gunzip)],
  // Said to be zlib, often sent without its header.
  deflate: [promisify(inflate), promisify(inflateRaw)],
  br: [promisify(brotliDecompress)],
};

/** Codings on top of each other. Nobody needs more than one; each can multiply the size by a thousand. */
const CODINGS_MAX = 2;

export type DecodedContent =
  | { ok: true; bytes: Uint8Array }
  | {
      ok: false;
      code: "body_encoding_unsupported" | "body_encoding_invalid" | "body_too_large_decoded";
      message: string;
    };

/**
 * Undoes `Content-Encoding`, the last coding first.
 *
 * @param contentEncoding the header, or undefined
 * @param maxBytes bytes of output at which decoding stops, so that a small bomb stays small
 */
export async function decodeContent(
  bytes: Uint8Array,
  contentEncoding: string | undefined,
  maxBytes: number,
): Promise<DecodedContent> {
  const codings = (contentEncoding ?? "")
    .toLowerCase()
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "" && name !== "identity");
  if (codings.length > CODINGS_MAX) {
    const message = `More than ${CODINGS_MAX} content encodings are not supported`;
    return { ok: false, code: "body_encoding_unsupported", message };
  }
  let content: DecodedContent = { ok: true, bytes };
  for (const coding of codings.reverse()) {
    // oxlint-disable-next-line no-await-in-loop -- each coding wraps the next
    content = await undo(content.bytes, coding, maxBytes);
    if (!content.ok) return content;
  }
  if (content.bytes.length <= maxBytes) return content;
  return tooLarge(maxBytes);
}

async function undo(bytes: Uint8Array, coding: string, maxBytes: number): Promise<DecodedContent> {
  const inflates = Object.hasOwn(CODINGS, coding) ? CODINGS[coding] : undefined;
  if (inflates === undefined) {
    const message = "The content encoding is none of gzip, deflate, br, identity";
    return { ok: false, code: "body_encoding_unsupported", message };
  }
  for (const decode of inflates) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- the second form is tried only when the first fails
      return { ok: true, bytes: await decode(bytes, { maxOutputLength: maxBytes }) };
    } catch (error) {
      if (error instanceof RangeError) return tooLarge(maxBytes);
    }
  }
  return {
    ok: false,
    code: "body_encoding_invalid",
    message: `The body is not valid ${coding} data, or is cut short`,
  };
}

function tooLarge(maxBytes: number): DecodedContent {
  return {
    ok: false,
    code: "body_too_large_decoded",
    message: `The decoded body is larger than ${maxBytes} bytes`,
  };
}
