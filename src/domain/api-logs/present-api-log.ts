import type { ApiLog, ApiLogDetail } from "./schema.ts";
import type { ApiLogFullRow, ApiLogListRow } from "./store.ts";

/** A row as lists show it. */
export function presentApiLog(row: ApiLogListRow): ApiLog {
  return { ...row, createdAt: row.createdAt.toISOString() };
}

/** A row with its bodies as text, or as base64 where the bytes are no UTF-8. */
export function presentApiLogDetail(row: ApiLogFullRow): ApiLogDetail {
  const request = presentBody(row.body);
  const response = presentBody(row.responseBody);
  return {
    ...row,
    createdAt: row.createdAt.toISOString(),
    body: request.text,
    bodyEncoding: request.encoding,
    responseBody: response.text,
    responseBodyEncoding: response.encoding,
  };
}

function presentBody(bytes: Uint8Array | null): {
  text: string | null;
  encoding: ApiLogDetail["bodyEncoding"];
} {
  if (bytes === null) return { text: null, encoding: null };
  try {
    // A body cut in the middle of a character is still text.
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
    return { text, encoding: "utf8" };
  } catch {
    return { text: Buffer.from(bytes).toString("base64"), encoding: "base64" };
  }
}
