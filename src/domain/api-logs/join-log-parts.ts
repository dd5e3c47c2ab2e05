import { isUtf8 } from "node:buffer";
import { storableJson } from "../../platform/postgres/storable.ts";

/** What of a log row may be long. */
export interface LongParts {
  headers: object | null;
  responseHeaders: object | null;
  timings?: object | null | undefined;
  body: Uint8Array | null;
  responseBody: Uint8Array | null;
}

/** The long parts of log rows as one parameter, and for each row where they are in it, in bytes. */
export interface LogParts {
  /** Without NUL. Of each row its headers, its answer's headers, its timings, its body and its answer's body. */
  text: string;
  /** Where the parts of a row begin, from 1. */
  starts: number[];
  /** Bytes of each JSON document; 0: it is missing. */
  headers: number[];
  responseHeaders: number[];
  timings: number[];
  /** Bytes of each body, negative where it stands in hexadecimal digits; null: it is missing. */
  bodies: (number | null)[];
  responseBodies: (number | null)[];
}

/**
 * Joins the long parts of log rows for a statement that cuts them up again. As elements of arrays they would be quoted
 * here and parsed character by character there, bodies as twice as many digits.
 *
 * @param bodyBytesMax bytes of each body that are kept
 */
export function joinLogParts(rows: readonly LongParts[], bodyBytesMax: number): LogParts {
  const parts: LogParts = {
    text: "",
    starts: [],
    headers: [],
    responseHeaders: [],
    timings: [],
    bodies: [],
    responseBodies: [],
  };
  let end = 1;
  const add = (text: string): number => {
    const bytes = Buffer.byteLength(text);
    parts.text += text;
    end += bytes;
    return bytes;
  };
  const document = (value: object | null | undefined): number =>
    value === null || value === undefined ? 0 : add(storableJson(value));
  const body = (bytes: Uint8Array | null): number | null => {
    if (bytes === null) return null;
    const kept = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, bodyBytesMax));
    return isText(kept) ? add(kept.toString("utf8")) : -add(kept.toString("hex"));
  };
  for (const row of rows) {
    parts.starts.push(end);
    parts.headers.push(document(row.headers));
    parts.responseHeaders.push(document(row.responseHeaders));
    parts.timings.push(document(row.timings));
    parts.bodies.push(body(row.body));
    parts.responseBodies.push(body(row.responseBody));
  }
  return parts;
}

/** What a text parameter can carry unchanged: UTF-8 without NUL. */
function isText(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0);
}
