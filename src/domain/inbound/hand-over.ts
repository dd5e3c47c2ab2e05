import { timeOfId } from "../../platform/uuid.ts";
import { sendToService, type ServiceSender } from "../services/send-to-service.ts";
import type { CachedEndpoint } from "./endpoint-cache.ts";
import type { Work } from "./inbound-work.ts";
import { RouteFailure } from "./route-failure.ts";

/** Least time that a target gets, also when the steps before it took most of the message's time. */
const TARGET_TIMEOUT_MIN_MS = 1_000;

/** What a target gets of a receipt. */
export interface HandedOver {
  /** The receipt's id, or one made from it where a receipt brings several messages. */
  id: string;
  type: string;
  contentType: string;
  body: string | Uint8Array;
  /** What is left of the message's processing time. */
  timeoutMs: number;
}

/**
 * Gives a message to the endpoint's target; without a target there is nothing to do.
 *
 * @throws RouteFailure
 */
export async function handOver(
  sender: ServiceSender,
  { facts }: Work,
  endpoint: CachedEndpoint,
  { timeoutMs, ...message }: HandedOver,
): Promise<void> {
  if (endpoint.targetService === null) return;
  const sent = await sendToService(sender, {
    serviceName: endpoint.targetService,
    timeoutMs: Math.max(TARGET_TIMEOUT_MIN_MS, Math.round(timeoutMs)),
    message: {
      ...message,
      tenantId: facts.tenantId,
      endpointId: facts.endpointId,
      handler: endpoint.handlerType,
      occurredAt: new Date(timeOfId(facts.id)).toISOString(),
      traceparent: facts.headers["traceparent"] ?? "",
    },
  });
  if (!sent.ok) throw new RouteFailure(sent.code, sent.message, sent.retryable);
}
