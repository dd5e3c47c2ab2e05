import { storableJson } from "../../platform/json/parse-json.ts";
import { subscribeInvalidation } from "../../platform/invalidation.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { newId } from "../../platform/uuid.ts";
import type { Transaction } from "../context.ts";
import { matchesPattern } from "./event-type.ts";

/** An event of the hub itself, such as `webhook.received`. */
export interface HubEvent {
  tenantId: string;
  /** Dotted, lower case. */
  type: string;
  /** Whatever JSON can hold. */
  data: unknown;
  /** Events of one key are delivered in order; left out: no order. */
  orderingKey?: string;
  correlationId?: string;
  traceparent?: string;
  /** Now when left out. */
  occurredAt?: Date;
}

interface Entry {
  eventTypes: string[];
  expiresAtMs: number;
  /** Types that were asked for, and whether a subscription matches. */
  judged: Map<string, boolean>;
}

/** A new subscription gets the hub's events after this time at the latest, where its announcement was lost. */
const TTL_MS = 5_000;
const ENTRIES_MAX = 50_000;

/** What this process knows of its tenants' subscriptions. */
const cache = new Map<string, Entry>();
/** Raised by each announcement: what was read before it is not kept. */
let epoch = 0;

/**
 * Writes events into the outbox, in the transaction of what they tell of. Only those that a subscription of their
 * tenant matches, a paused one too, become rows; of the others the receipt or log row is the record (DESIGN.md section 8).
 *
 * @param tx of hub_app for one tenant's verb, of hub_system for batches
 * @returns how many rows were written
 */
export async function publishHubEvents(tx: Transaction, events: readonly HubEvent[]): Promise<number> {
  if (events.length === 0) return 0;
  const typesOf = await subscribedTypes(tx, new Set(events.map(({ tenantId }) => tenantId)));
  const wanted = events
    .filter(({ tenantId, type }) =>
      (typesOf.get(tenantId) ?? []).some((pattern) => matchesPattern(pattern, type)),
    )
    .map((event) => ({ ...event, occurredAt: event.occurredAt ?? new Date() }));
  if (wanted.length === 0) return 0;
  await tx`
    insert into outbox (id, tenant_id, event_type, ordering_key, payload, correlation_id, traceparent, occurred_at)
    select * from unnest(
      ${wanted.map(({ occurredAt }) => newId(occurredAt.getTime()))}::text[]::uuid[],
      ${wanted.map(({ tenantId }) => tenantId)}::text[]::uuid[],
      ${wanted.map(({ type }) => type)}::text[],
      ${wanted.map(({ orderingKey }) => orderingKey ?? null)}::text[],
      ${wanted.map(({ data }) => storableJson(data))}::text[]::jsonb[],
      ${wanted.map(({ correlationId }) => correlationId ?? null)}::text[],
      ${wanted.map(({ traceparent }) => traceparent ?? null)}::text[],
      ${wanted.map(({ occurredAt }) => occurredAt.toISOString())}::text[]::timestamptz[])`;
  return wanted.length;
}

/**
 * True when it is known that no subscription of the tenant matches, so that `publishHubEvents` would write nothing; false
 * when one does, or it has to be looked up.
 *
 * @param type one of the hub's own
 */
export function isUnwanted(tenantId: string, type: string): boolean {
  const known = cache.get(tenantId);
  if (known === undefined || performance.now() >= known.expiresAtMs) return false;
  let isWanted = known.judged.get(type);
  if (isWanted === undefined) {
    isWanted = known.eventTypes.some((pattern) => matchesPattern(pattern, type));
    known.judged.set(type, isWanted);
  }
  return !isWanted;
}

/** Lets a process hear of changed subscriptions, so that a new one misses none of the hub's events. */
export async function followSubscriptions(runtime: Runtime): Promise<void> {
  await subscribeInvalidation(runtime, {
    handlers: {
      subscription(name) {
        epoch++;
        cache.delete(name.slice(0, name.indexOf("/")));
      },
    },
    onReconnect() {
      epoch++;
      cache.clear();
    },
  });
}

async function subscribedTypes(
  tx: Transaction,
  tenantIds: ReadonlySet<string>,
): Promise<Map<string, string[]>> {
  const nowMs = performance.now();
  if (cache.size > ENTRIES_MAX) cache.clear();
  const found = new Map<string, string[]>();
  for (const id of tenantIds) {
    const known = cache.get(id);
    if (known !== undefined && nowMs < known.expiresAtMs) found.set(id, known.eventTypes);
  }
  const unknown = [...tenantIds].filter((id) => !found.has(id));
  if (unknown.length === 0) return found;
  const epochBefore = epoch;
  const rows = await tx<{ tenantId: string; eventTypes: string[] }[]>`
    select s.tenant_id as "tenantId", array_agg(distinct p.pattern) as "eventTypes"
    from webhook_subscriptions s cross join jsonb_array_elements_text(s.event_types) as p(pattern)
    where s.tenant_id = any(${unknown}::text[]::uuid[]) and s.deleted_at is null
    group by s.tenant_id`;
  const read = new Map(rows.map(({ tenantId, eventTypes }) => [tenantId, eventTypes]));
  for (const id of unknown) {
    const eventTypes = read.get(id) ?? [];
    found.set(id, eventTypes);
    // What was announced meanwhile may not be in it.
    if (epochBefore === epoch) cache.set(id, { eventTypes, expiresAtMs: nowMs + TTL_MS, judged: new Map() });
  }
  return found;
}
