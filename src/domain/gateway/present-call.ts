import type { GatewayCall } from "./call-schema.ts";
import type { CallRow } from "./call-store.ts";

/** A stored call as the API shows it. */
export function presentCall(row: CallRow): GatewayCall {
  const { id, integrationId, method, target, status, attempts, logId, error } = row;
  return {
    id,
    integrationId,
    method,
    target,
    status,
    createdAt: row.createdAt.toISOString(),
    finishedAt: row.finishedAt?.toISOString() ?? null,
    expiresAt: row.expiresAt.toISOString(),
    attempts,
    logId,
    response:
      row.responseStatus === null
        ? null
        : {
            status: row.responseStatus,
            headers: row.responseHeaders ?? {},
            ...presentBytes(row.responseBody ?? new Uint8Array(0)),
            bodyTruncated: row.responseTruncated,
          },
    error,
  };
}

/** Bytes as JSON holds them. */
export function presentBytes(bytes: Uint8Array): { body: string; bodyEncoding: "utf8" | "base64" } {
  try {
    const body = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { body, bodyEncoding: "utf8" };
  } catch {
    return { body: Buffer.from(bytes).toString("base64"), bodyEncoding: "base64" };
  }
}
