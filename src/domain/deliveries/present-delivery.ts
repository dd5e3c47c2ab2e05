import { isUtf8 } from "node:buffer";
import type { DeliveryAttempt, DeliveryAttemptDetail } from "./delivery-schema.ts";
import type { AttemptDetailRow, AttemptListRow } from "./delivery-store.ts";

/** An attempt as the lists show it. */
export function presentAttempt(row: AttemptListRow): DeliveryAttempt {
  return {
    id: row.id,
    deliveryId: row.deliveryId,
    subscriptionId: row.subscriptionId,
    eventId: row.eventId,
    eventType: row.eventType,
    trigger: row.trigger,
    replayId: row.replayId,
    attemptNumber: row.attemptNumber,
    status: row.status,
    requestUrl: row.requestUrl,
    responseStatus: row.responseStatus,
    responseTimeMs: row.responseTimeMs,
    errorCode: row.errorCode,
    errorMessage: row.errorMessage,
    nextRetryAt: row.nextRetryAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}

/** An attempt with what was sent and answered. */
export function presentAttemptDetail(row: AttemptDetailRow): DeliveryAttemptDetail {
  const { responseBody } = row;
  const isText = responseBody !== null && isUtf8(responseBody);
  return {
    ...presentAttempt(row),
    requestHeaders: row.requestHeaders,
    responseHeaders: row.responseHeaders,
    responseBody:
      responseBody === null ? null : Buffer.from(responseBody).toString(isText ? "utf8" : "base64"),
    responseBodyEncoding: responseBody === null ? null : isText ? "utf8" : "base64",
  };
}
