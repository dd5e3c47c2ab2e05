import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from "node:zlib";

type Inflate = (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;

/** Codings of `Content-Encoding` that the accept path takes; `deflate` is said to be zlib and often is not. */
const CODINGS: ReadonlyMap<string, readonly Inflate[]> = new Map([
  ["gzip", [gunzipSync]],
  ["x-gzip", [gunzipSync]],
  ["deflate", [inflateSync, inflateRawSync]],
  ["br", [brotliDecompressSync]],
]);

/** Output at which decoding stops: it runs between other requests, and so much takes 10 ms. */
const READ_BYTES_MAX = 4 * 1024 * 1024;

/**
 * The body in which an event's id and type are looked for: what a compressed one holds. Only for requests that were
 * verified, because the signature covers the bytes as received and decoding costs more than verifying.
 *
 * @returns the body as it is when it is not compressed, is broken, or would be longer than 4 MiB
 */
export function readableContent(headers: Headers, rawBody: Uint8Array): Uint8Array {
  const coding = headers.get("content-encoding")?.toLowerCase();
  if (coding === undefined) return rawBody;
  for (const decode of CODINGS.get(coding) ?? []) {
    try {
      return decode(rawBody, { maxOutputLength: READ_BYTES_MAX });
    } catch {
      // The worker says what is wrong with it.
    }
  }
  return rawBody;
}
