import { type Context, requireScope } from "../context.ts";
import { type FieldError, invalidInput } from "../errors.ts";
import { type CheckedEvent, checkEvent } from "./check-event.ts";
import { checkPayloads } from "./check-payloads.ts";
import type { EventPublisher } from "./event-publisher.ts";
import type { EventTypeCatalogue } from "./event-type-catalogue.ts";
import type { PublishAnswer, PublishedEvent, PublishInput } from "./schema.ts";

/** Faults of one request that are told; a batch can have a thousand. */
const FAULTS_MAX = 20;

/** What publishing needs besides the context. */
export interface PublishDeps {
  publisher: EventPublisher;
  catalogue: EventTypeCatalogue;
}

/**
 * Publishes one event or a batch; it resolves when every event is fsynced. One event that breaks a rule refuses all of
 * them, with a path such as `/events/3/data`. An id that was accepted before answers `duplicate` and is not delivered
 * again.
 *
 * @param input.body as validated by `PublishInput`
 * @param input.idempotencyKey gives events without an id the same one at each repetition of the request
 * @throws HubError 403 `forbidden`; 422 `invalid_input`; 503 `capacity_exceeded` or `unavailable`
 */
export async function publishEvents(
  ctx: Context,
  input: {
    body: PublishInput;
    deps: PublishDeps;
    traceparent?: string | undefined;
    idempotencyKey?: string | undefined;
  },
): Promise<PublishAnswer> {
  requireScope(ctx, "events:publish");
  const { body, deps, traceparent, idempotencyKey } = input;
  const context = { tenantId: ctx.tenantId, nowMs: ctx.runtime.clock.nowMs(), idempotencyKey };
  const isBatch = body.events !== undefined;
  const given = publishedEvents(body);
  const events: CheckedEvent[] = [];
  const errors: FieldError[] = [];
  const placeOf = (index: number): string => (isBatch ? `/events/${index}` : "");
  for (const [index, event] of given.entries()) {
    const at = placeOf(index);
    const checked = checkEvent(event, { ...context, at });
    if (Array.isArray(checked)) errors.push(...checked);
    else events.push(checked);
  }
  if (errors.length === 0) {
    const payloads = events.map((event, index) => ({ event, data: given[index]!.data, at: placeOf(index) }));
    errors.push(...(await checkPayloads(ctx, deps.catalogue, payloads)));
  }
  if (errors.length > 0) throw invalidInput(errors.slice(0, FAULTS_MAX));
  const items = events.map((event) => ({
    event,
    source: "API" as const,
    correlationId: ctx.requestId,
    traceparent,
  }));
  const receipts = await deps.publisher.publish(ctx.tenantId, items);
  return isBatch ? { events: receipts } : receipts[0]!;
}

/** The events of a request. @throws HubError 422 `invalid_input` for neither one event nor a batch, or both */
function publishedEvents(body: PublishInput): readonly PublishedEvent[] {
  const { events, type, ...rest } = body;
  if (events !== undefined) {
    const [extra] = Object.keys({ ...(type === undefined ? {} : { type }), ...rest });
    if (extra === undefined) return events;
    throw invalidInput([{ path: `/${extra}`, message: "belongs to one event; a batch has events only" }]);
  }
  const errors: FieldError[] = [];
  if (type === undefined) errors.push({ path: "/type", message: "is missing" });
  if (!("data" in rest)) errors.push({ path: "/data", message: "is missing" });
  if (errors.length > 0) throw invalidInput(errors);
  return [{ ...rest, type: type!, data: rest.data }];
}
