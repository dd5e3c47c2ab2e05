import type { JsonataPool } from "../transformations/jsonata-pool.ts";
import { resolveTemplate } from "../transformations/resolve-template.ts";
import type { CompiledSubscription } from "../subscriptions/compiled-subscription.ts";
import type { DeliveryEvent } from "./delivery-work.ts";

/**
 * The body of a delivery, or why there is none. `again`: it was not tried, as the pool is busy or rests the template after
 * time-outs. `retryable`: another attempt may succeed.
 */
export type DeliveryPayload =
  | { ok: true; body: Uint8Array; isStandard: boolean }
  | { ok: false; again: boolean; retryable: boolean; code: string; message: string };

const NOT_TRIED: ReadonlySet<string> = new Set(["transform_busy", "transform_paused"]);

/** The payload without a template: `{ "id", "type", "timestamp", "data" }` (Standard Webhooks, "Payload structure"). */
export function standardPayload(event: DeliveryEvent): Uint8Array {
  event.payload ??= Buffer.from(
    `{"id":"${event.id}","type":${JSON.stringify(event.type)},"timestamp":"${new Date(
      event.occurredAtMs,
    ).toISOString()}","data":${event.data}}`,
  );
  return event.payload;
}

/**
 * Makes the body that a subscription gets: the standard payload, or what its template makes of it. A text that a template
 * for another content type than JSON makes is sent as it is, without quotes.
 */
export function makePayload(
  pool: () => JsonataPool,
  subscription: CompiledSubscription,
  event: DeliveryEvent,
): DeliveryPayload | Promise<DeliveryPayload> {
  const standard = standardPayload(event);
  const { template } = subscription;
  if (template === undefined) return { ok: true, body: standard, isStandard: true };
  return fillTemplate(pool, subscription, template, standard);
}

async function fillTemplate(
  pool: () => JsonataPool,
  subscription: CompiledSubscription,
  template: NonNullable<CompiledSubscription["template"]>,
  standard: Uint8Array,
): Promise<DeliveryPayload> {
  const resolved = resolveTemplate(template);
  if (!resolved.ok) {
    return { ok: false, again: false, retryable: false, code: resolved.code, message: resolved.message };
  }
  const outcome = await pool().evaluate({
    key: subscription.id,
    expression: resolved.expression,
    input: Buffer.from(standard).toString(),
  });
  if (!outcome.ok) {
    const { code, message, retryable } = outcome;
    return { ok: false, again: NOT_TRIED.has(code), retryable, code, message };
  }
  return { ok: true, body: Buffer.from(textOf(outcome.output, subscription.contentType)), isStandard: false };
}

function textOf(output: string, contentType: string): string {
  if (/\bjson\b/i.test(contentType) || !output.startsWith('"')) return output;
  return JSON.parse(output) as string;
}
