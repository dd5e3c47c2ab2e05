import { presentBytes } from "../inbound/present-receipt.ts";
import type { DeadLetter, DeadLetterDetail } from "./schema.ts";
import type { DeadLetterFullRow, DeadLetterRow } from "./store.ts";

/** A row as lists show it. */
export function presentDeadLetter(row: DeadLetterRow): DeadLetter {
  return {
    ...row,
    mendedAt: row.mendedAt?.toISOString() ?? null,
    replayedAt: row.replayedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

/** A row with its bodies. @param original the body as received, wherever it lies; null when it is gone */
export function presentDeadLetterDetail(
  row: DeadLetterFullRow,
  original: Uint8Array | null,
): DeadLetterDetail {
  const body = presentBytes(original);
  const mended = presentBytes(row.mendedBody);
  return {
    ...presentDeadLetter(row),
    headers: row.headers,
    contentEncoding: row.contentEncoding,
    body: body.text,
    bodyEncoding: body.encoding,
    mendedBody: mended.text,
    mendedBodyEncoding: mended.encoding,
    mendedContentType: row.mendedContentType,
  };
}
