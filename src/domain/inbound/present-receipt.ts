import type { BodyEncoding, Receipt, ReceiptDetail } from "./receipt-schema.ts";
import type { ReceiptFullRow, ReceiptListRow } from "./receipt-store.ts";

/** A row as lists show it. */
export function presentReceipt(row: ReceiptListRow): Receipt {
  return {
    ...row,
    nextRetryAt: row.nextRetryAt?.toISOString() ?? null,
    processedAt: row.processedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}

/**
 * A row with its bytes.
 *
 * @param largeBody the body where it lies in `large_bodies`
 */
export function presentReceiptDetail(row: ReceiptFullRow, largeBody: Uint8Array | undefined): ReceiptDetail {
  // An empty body is stored as null.
  const bytes = row.body ?? largeBody ?? (row.bodySize === 0 ? new Uint8Array(0) : null);
  const body = presentBytes(bytes);
  const output = presentBytes(row.output);
  return {
    ...presentReceipt(row),
    eventKey: row.eventKey,
    query: row.query,
    headers: row.headers,
    contentEncoding: row.contentEncoding,
    body: body.text,
    bodyEncoding: body.encoding,
    output: output.text,
    outputEncoding: output.encoding,
    traceparent: row.traceparent,
  };
}

/** Bytes in JSON: text when they are UTF-8 (a byte order mark stays), else base64. */
export function presentBytes(bytes: Uint8Array | null): {
  text: string | null;
  encoding: BodyEncoding | null;
} {
  if (bytes === null) return { text: null, encoding: null };
  try {
    return {
      text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
      encoding: "utf8",
    };
  } catch {
    return { text: Buffer.from(bytes).toString("base64"), encoding: "base64" };
  }
}
