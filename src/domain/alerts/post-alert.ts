import { prepareHmac } from "../../platform/crypto/hmac.ts";
import type { AlertRow } from "./store.ts";

const TIMEOUT_MS = 10_000;

/** Body of an alert over HTTP. */
function bodyOf(alert: AlertRow): string {
  const { id, kind, title, tenantId, data, createdAt } = alert;
  return JSON.stringify({ id, type: kind, timestamp: createdAt.toISOString(), title, tenantId, data });
}

/**
 * Posts an alert to the operators' own address, signed as in Standard Webhooks where there is a secret. The address comes
 * from the environment and not from a tenant, so it may be an internal one; no redirect is followed.
 *
 * @param options.secret ALERT_WEBHOOK_SECRET, `whsec_` and base64
 * @throws Error when it is not answered with 2xx within 10 s
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export async function postAlert(
  alert: AlertRow,
  options: { url: string; secret: string | undefined; nowMs: number },
): Promise<void> {
  const body = bodyOf(alert);
  const timestamp = Math.floor(options.nowMs / 1000);
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "webhook-id": alert.id,
    "webhook-timestamp": String(timestamp),
  };
  if (options.secret !== undefined) {
    const sign = prepareHmac("sha256", Buffer.from(options.secret.replace(/^whsec_/, ""), "base64"));
    headers["webhook-signature"] = `v1,${sign(`${alert.id}.${timestamp}.`, Buffer.from(body), "", "base64")}`;
  }
  const response = await fetch(options.url, {
    method: "POST",
    headers,
    body,
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`ALERT_WEBHOOK_URL answered ${response.status}`);
}
