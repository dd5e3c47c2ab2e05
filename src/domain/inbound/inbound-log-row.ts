import type { Config } from "../../platform/config.ts";
import { timeOfId } from "../../platform/uuid.ts";
import type { ApiLogRow } from "../api-logs/append-api-logs.ts";
import { createRedactor } from "../api-logs/redact.ts";
import type { FinishedReceipt } from "./finished-receipt.ts";

const redactor = createRedactor();

/** The log row of an accepted webhook, redacted. Its body is the receipt's. */
export function inboundLogRow(config: Config, { entry, receipt, integrationId }: FinishedReceipt): ApiLogRow {
  const query = receipt.path.indexOf("?");
  const path = query < 0 ? receipt.path : receipt.path.slice(0, query);
  return {
    id: receipt.id,
    tenantId: receipt.tenantId,
    integrationId,
    endpointId: receipt.endpointId,
    direction: "INBOUND",
    method: "POST",
    url: config.publicUrl + (query < 0 ? path : redactor.url(receipt.path)),
    path,
    queryParams: query < 0 ? null : redactor.query(receipt.path.slice(query + 1)),
    headers: redactor.headers(Object.entries(receipt.headers)),
    body: null,
    bodySize: receipt.bodySize,
    responseStatus: 200,
    responseHeaders: null,
    responseBody: null,
    responseSize: null,
    // Redis' own time of the entry: what the sender waited, except for the sync.
    responseTimeMs: Math.max(0, Number(entry.id.split("-", 1)[0]) - timeOfId(receipt.id)),
    correlationId: receipt.requestId,
    userId: null,
    sourceIp: receipt.sourceIp,
    status: "SUCCESS",
    errorMessage: null,
    retryOf: null,
    receiptId: receipt.id,
    traceparent: receipt.headers["traceparent"] ?? null,
  };
}
