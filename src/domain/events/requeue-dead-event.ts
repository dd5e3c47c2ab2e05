import { parseJson } from "../../platform/json/parse-json.ts";
import { eventRoute, eventSeenKey, partitionOf } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { Context, Transaction } from "../context.ts";
import { HubError, invalidInput } from "../errors.ts";
import type { CheckedEvent } from "./check-event.ts";
import { checkPayloads } from "./check-payloads.ts";
import { EventTypeCatalogue } from "./event-type-catalogue.ts";
import { insertOutboxEvent } from "./outbox-store.ts";
import { DATA_BYTES_MAX } from "./schema.ts";
import { seenField } from "./seen-value.ts";
import type { EventMessage } from "./topics.ts";

/** What the dead letter of an event keeps of its message, besides id, type and data. */
export type DeadEventFields = Pick<
  EventMessage,
  "source" | "occurredAt" | "externalId" | "orderingKey" | "schemaVersion"
>;

/** An accepted event that nobody got, with the data that it is to have now. */
export interface DeadPublication {
  event: Pick<EventMessage, "id" | "type"> & DeadEventFields;
  data: Uint8Array;
  correlationId: string | null;
}

/**
 * Publishes an event that was accepted and could not be fanned out, under its own id, through the outbox and so in the
 * caller's transaction.
 *
 * @throws HubError 409 `conflict` while its id waits in the outbox; 422 `invalid_input` for data that is none; 503
 * `unavailable`
 */
export async function requeueDeadEvent(ctx: Context, tx: Transaction, dead: DeadPublication): Promise<void> {
  const { runtime, tenantId } = ctx;
  const parsed = parseJson(dead.data);
  if (!parsed.ok) throw invalidInput([{ path: "/data", message: parsed.message }]);
  if (!parsed.storable)
    throw invalidInput([{ path: "/data", message: "holds NUL or half a surrogate pair" }]);
  const { id, type, source, occurredAt, externalId, orderingKey, schemaVersion } = dead.event;
  const data = JSON.stringify(parsed.value);
  const dataSize = Buffer.byteLength(data);
  if (dataSize > DATA_BYTES_MAX)
    throw invalidInput([{ path: "/data", message: `must be at most ${DATA_BYTES_MAX} bytes` }]);
  const event: CheckedEvent = {
    id,
    type,
    occurredAt,
    externalId,
    orderingKey,
    schemaVersion,
    data,
    dataSize,
  };
  const catalogue = new EventTypeCatalogue(runtime);
  const faults = await checkPayloads(ctx, catalogue, [{ event, data: parsed.value, at: "" }]);
  if (faults.length > 0) throw invalidInput(faults);
  // Before the commit: remembered as seen, the event would be dropped as a duplicate by the relay.
  await forgetSeen(runtime, { tenantId, id, orderingKey });
  const { correlationId } = dead;
  const isQueued = await insertOutboxEvent(tx, tenantId, { event, source, correlationId });
  if (!isQueued) throw new HubError("conflict", "An event with this id is on its way already; try again.");
}

async function forgetSeen(
  runtime: Runtime,
  event: { tenantId: string; id: string; orderingKey: string | undefined },
): Promise<void> {
  const { streamPartitions, dedupeHotSeconds } = runtime.config;
  const partition = partitionOf(eventRoute(event), streamPartitions);
  const generation = Math.floor(runtime.clock.nowMs() / 1000 / dedupeHotSeconds);
  const keys = [generation, generation - 1].map((one) => eventSeenKey(partition, one));
  const field = seenField(event.tenantId, event.id);
  try {
    await Promise.all(keys.map((key) => runtime.redis.hdel(key, field)));
  } catch (error) {
    runtime.log.warn({ err: error }, "dead event not forgotten");
    throw new HubError("unavailable", undefined, { retryAfterSeconds: 1 });
  }
}
