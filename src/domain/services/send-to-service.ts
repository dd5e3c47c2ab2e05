import type { EgressResult } from "../../platform/egress/exchange.ts";
import type { Sender } from "../../platform/egress/send.ts";
import type { ServiceCache } from "./service-cache.ts";
import type { SendOutcome, ServiceMessage } from "./service-message.ts";
import type { ServiceRow } from "./store.ts";
import type { StreamTarget } from "./stream-target.ts";
import type { TargetHealth } from "./target-health.ts";

/** What sending needs; made once in a process. */
export interface ServiceSender {
  services: ServiceCache;
  streams: StreamTarget;
  http: Sender;
  health: TargetHealth;
  nowMs(): number;
}

/** Answers by which a service says "not now" (RFC 9110, RFC 6585, RFC 8470). */
const RETRYABLE_STATUS = new Set([408, 425, 429]);

/**
 * Gives a message to the service of this name. A service that is not registered counts as unavailable: it may come.
 *
 * @param input.timeoutMs what is left of the message's processing time; the service's own time-out may be shorter
 * @throws when the hub's own Postgres or Redis is away, which is no fault of the service
 */
export async function sendToService(
  sender: ServiceSender,
  input: { serviceName: string; message: ServiceMessage; timeoutMs: number },
): Promise<SendOutcome> {
  const service = await sender.services.get(input.message.tenantId, input.serviceName);
  if (service === null) {
    return {
      ok: false,
      retryable: true,
      code: "service_unknown",
      message: `There is no service "${input.serviceName}"`,
    };
  }
  if (service.kind === "STREAM") return sender.streams.send(service.name, input.message);
  return post(sender, service, input.message, input.timeoutMs);
}

async function post(
  sender: ServiceSender,
  service: ServiceRow,
  message: ServiceMessage,
  timeoutMs: number,
): Promise<SendOutcome> {
  const result = await sender.http.send({
    key: service.id,
    url: service.url ?? "",
    policy: "internal",
    method: "POST",
    headers: headersOf(message),
    body: message.body,
    timeoutMs: Math.min(timeoutMs, service.timeoutSeconds * 1000),
    slots: () => sender.health.slotsOf(service.id),
    mayStart: () => sender.health.mayTry(service.id, sender.nowMs()),
  });
  if (result.kind === "withheld") {
    return unavailable("The service failed several times in a row; it is left alone for a few seconds");
  }
  const outcome = judge(result);
  if (outcome.ok || !outcome.retryable) sender.health.succeeded(service.id);
  else
    sender.health.failed(service.id, sender.nowMs(), result.kind === "timeout" ? "timeout" : "unavailable");
  return outcome;
}

function judge(result: Exclude<EgressResult, { kind: "withheld" }>): SendOutcome {
  if (result.kind === "timeout") {
    return {
      ok: false,
      retryable: true,
      code: "target_timeout",
      message: `The service gave ${result.message}`,
    };
  }
  if (result.kind === "error" || result.kind === "refused") {
    return unavailable(`Cannot reach the service: ${result.message}`);
  }
  if (result.status >= 200 && result.status < 300) return { ok: true };
  const text = `The service answered ${result.status}: ${excerpt(result.body)}`;
  if (result.status >= 400 && result.status < 500 && !RETRYABLE_STATUS.has(result.status)) {
    return { ok: false, retryable: false, code: "target_rejected", message: text };
  }
  // 5xx, and a redirect: services are addressed directly, so it is a set-up to be mended, not a judgement.
  return unavailable(text);
}

function headersOf(message: ServiceMessage): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": message.contentType,
    "hub-receipt-id": message.id,
    "hub-tenant-id": message.tenantId,
    "hub-endpoint-id": message.endpointId,
    "hub-handler": message.handler,
    "hub-occurred-at": message.occurredAt,
  };
  if (message.type !== "") headers["hub-event-type"] = encodeURI(message.type.toWellFormed());
  if (message.traceparent !== "") headers["traceparent"] = message.traceparent;
  return headers;
}

function excerpt(body: Uint8Array): string {
  const text = Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, 500)).toString("utf8");
  return text.replaceAll(/\s+/g, " ").trim() || "no body";
}

function unavailable(message: string): SendOutcome {
  return { ok: false, retryable: true, code: "target_unavailable", message };
}
