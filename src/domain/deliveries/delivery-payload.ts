import type { Runtime } from "../../platform/runtime.ts";
import { EDI_DOCUMENT, X12_CONTENT_TYPE } from "../edi/edi-events.ts";
import { writeDelivery } from "../edi/write-delivery.ts";
import type { CompiledSubscription } from "../subscriptions/compiled-subscription.ts";
import { CONTENT_TYPE_DEFAULT } from "../subscriptions/schema.ts";
import type { JsonataPool } from "../transformations/jsonata-pool.ts";
import type { ExpressionTemplate, StoredTemplate } from "../transformations/schema.ts";
import { type ReadyTemplate, templatesOf } from "../transformations/template-cache.ts";
import type { DocumentFailure } from "../transformations/document-fault.ts";
import type { MapContext } from "../transformations/mapping/mapping-result.ts";
import { mapDocument, transformDocument } from "../transformations/transform-document.ts";
import { contentTypeOf } from "../transformations/write-target.ts";
import type { DeliveryEvent } from "./delivery-work.ts";
import { formText } from "./form-text.ts";

/**
 * The body of a delivery, or why there is none. `again`: it was not tried, as the pool is busy or the template rests or is
 * switched off; `waitMs` when it may be asked again. `retryable`: another attempt may succeed.
 */
export type DeliveryPayload =
  | { ok: true; body: Uint8Array; contentType: string; isStandard: boolean }
  | { ok: false; again: boolean; waitMs?: number; retryable: boolean; code: string; message: string };

const NOT_TRIED: ReadonlySet<string> = new Set([
  "transform_busy",
  "transform_paused",
  "transformation_inactive",
]);

/** A subscription of this content type gets X12 documents as they are. */
const X12_TYPE = /^application\/edi-x12\b/i;
/** A subscription of this content type gets the members of its payload as fields. */
const FORM_TYPE = /^application\/x-www-form-urlencoded\b/i;

/** What payloads need; made once in a process. */
export interface PayloadDeps {
  runtime: Runtime;
  pool: () => JsonataPool;
}

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
 * Makes the body that a subscription gets: the standard payload, or what its template makes of it. A text that an
 * expression for another content type than JSON makes is sent as it is, without quotes.
 */
export function makePayload(
  deps: PayloadDeps,
  subscription: CompiledSubscription,
  event: DeliveryEvent,
): DeliveryPayload | Promise<DeliveryPayload> {
  const standard = standardPayload(event);
  const { template, contentType } = subscription;
  if (event.type === EDI_DOCUMENT && X12_TYPE.test(contentType)) {
    const data = JSON.parse(event.data) as { x12?: unknown } | null;
    if (typeof data?.x12 === "string")
      return { ok: true, body: Buffer.from(data.x12), contentType, isStandard: false };
  }
  if (template === undefined) {
    if (!FORM_TYPE.test(contentType)) return { ok: true, body: standard, contentType, isStandard: true };
    const body = Buffer.from(formText(Buffer.from(standard).toString()));
    return { ok: true, body, contentType, isStandard: false };
  }
  return "expression" in template
    ? evaluate(deps, subscription, template, standard)
    : applyTemplate(deps, subscription, template, { event, standard });
}

async function evaluate(
  { pool }: PayloadDeps,
  { id, contentType }: CompiledSubscription,
  { expression }: ExpressionTemplate,
  standard: Uint8Array,
): Promise<DeliveryPayload> {
  const outcome = await pool().evaluate({ key: id, expression, input: Buffer.from(standard).toString() });
  if (!outcome.ok) {
    const { code, message, retryable } = outcome;
    return { ok: false, again: NOT_TRIED.has(code), retryable, code, message };
  }
  const body = Buffer.from(textOf(outcome.output, contentType));
  return { ok: true, body, contentType, isStandard: false };
}

function textOf(output: string, contentType: string): string {
  if (FORM_TYPE.test(contentType)) return formText(output);
  if (/\bjson\b/i.test(contentType) || !output.startsWith('"')) return output;
  return JSON.parse(output) as string;
}

/** A template that writes XML, CSV or X12 names the content type, unless the subscription names another one. */
async function applyTemplate(
  { runtime }: PayloadDeps,
  subscription: CompiledSubscription,
  wanted: StoredTemplate,
  { event, standard }: { event: DeliveryEvent; standard: Uint8Array },
): Promise<DeliveryPayload> {
  const { tenantId, contentType } = subscription;
  let template: ReadyTemplate | null;
  try {
    template = await templatesOf(runtime).find(tenantId, wanted);
  } catch (error) {
    const message = `The template cannot be read: ${(error as Error).message}`;
    return { ok: false, again: true, retryable: true, code: "transformation_unavailable", message };
  }
  if (template === null) {
    const message = `There is no transformation "${wanted.template}" with version ${wanted.version ?? "latest"}`;
    return { ok: false, again: false, retryable: false, code: "transformation_not_found", message };
  }
  const context = { values: { eventId: event.id, eventType: event.type } };
  if (template.targetFormat === "X12")
    return applyX12Template(runtime, subscription, template, { event, standard, context });
  const outcome = await transformDocument(runtime, template, { bytes: standard }, context);
  if (!outcome.ok) return failed(outcome);
  const { targetFormat, mappingRules } = template;
  const isOwn = targetFormat !== "JSON" && contentType === CONTENT_TYPE_DEFAULT;
  const isForm = targetFormat === "JSON" && FORM_TYPE.test(contentType);
  return {
    ok: true,
    body: isForm ? Buffer.from(formText(Buffer.from(outcome.bytes).toString())) : outcome.bytes,
    contentType: isOwn ? contentTypeOf(targetFormat, mappingRules.target) : contentType,
    isStandard: false,
  };
}

function failed({ code, message, retryable, retryAfterMs }: DocumentFailure): DeliveryPayload {
  const wait = retryAfterMs === undefined ? {} : { waitMs: retryAfterMs };
  return { ok: false, again: NOT_TRIED.has(code), ...wait, retryable, code, message };
}

/** X12 goes out as an interchange of its partner, with the partner's next control numbers. */
async function applyX12Template(
  runtime: Runtime,
  { id, tenantId, contentType }: CompiledSubscription,
  template: ReadyTemplate,
  { event, standard, context }: { event: DeliveryEvent; standard: Uint8Array; context: MapContext },
): Promise<DeliveryPayload> {
  const mapped = await mapDocument(runtime, template, { bytes: standard }, context);
  if (!mapped.ok) return failed(mapped);
  try {
    const delivery = { tenantId, subscriptionId: id, eventId: event.id, output: mapped.document };
    const written = await writeDelivery(runtime, delivery);
    if (!written.ok) return { ...written, again: false, retryable: false };
    const isDefault = contentType === CONTENT_TYPE_DEFAULT;
    return {
      ok: true,
      body: written.bytes,
      contentType: isDefault ? X12_CONTENT_TYPE : contentType,
      isStandard: false,
    };
  } catch (error) {
    const message = `The document cannot be written: ${(error as Error).message}`;
    return { ok: false, again: true, retryable: true, code: "x12_unavailable", message };
  }
}
