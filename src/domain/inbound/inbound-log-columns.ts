import { storableJson } from "../../platform/postgres/storable.ts";
import { timeOfId } from "../../platform/uuid.ts";
import { createRedactor } from "../api-logs/redact.ts";
import type { FinishedReceipt } from "./finished-receipt.ts";

const redactor = createRedactor();

/** What an inbound log row has beyond its receipt; null where the two are the same. */
export interface InboundLogColumns {
  /** Path and query, redacted; null when there is no query. */
  url: string | null;
  /** JSON text of the redacted query. */
  queryParams: string | null;
  /** JSON text of the redacted headers; null when nothing had to be removed. */
  headers: string | null;
  responseTimeMs: number;
}

/** The log columns of an accepted webhook, redacted. Its body is the receipt's. */
export function inboundLogColumns({ entry, receipt }: FinishedReceipt): InboundLogColumns {
  const query = receipt.path.indexOf("?");
  return {
    url: query < 0 ? null : redactor.url(receipt.path),
    queryParams: query < 0 ? null : storableJson(redactor.query(receipt.path.slice(query + 1))),
    headers: redactedHeaders(receipt.headers),
    // Redis' own time of the entry: what the sender waited, except for the sync.
    responseTimeMs: Math.max(0, Number.parseInt(entry.id, 10) - timeOfId(receipt.id)),
  };
}

function redactedHeaders(headers: Readonly<Record<string, string>>): string | null {
  for (const name in headers) {
    const value = headers[name]!;
    if (redactor.header(name, value) !== value)
      return storableJson(redactor.headers(Object.entries(headers)));
  }
  return null;
}
