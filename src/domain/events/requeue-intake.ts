import type { Context, Transaction } from "../context.ts";
import { HubError, invalidInput } from "../errors.ts";
import { checkPayloads } from "./check-payloads.ts";
import { EventTypeCatalogue } from "./event-type-catalogue.ts";
import { insertOutboxEvent } from "./outbox-store.ts";
import { readIntake } from "./read-intake.ts";

/** A dead entry of `events:in` with the data that it is to have now. */
export interface DeadIntake {
  /** Its fields besides the data, and `entryId`: its place in the stream. */
  fields: Readonly<Record<string, unknown>>;
  data: Uint8Array;
  correlationId: string | null;
}

/**
 * Publishes a mended entry of the intake stream, through the outbox and so in the caller's transaction. It keeps the
 * id that it would have had.
 *
 * @throws HubError 409 `conflict` while its id waits in the outbox; 422 `invalid_input` when it is still no event; 503 `unavailable`
 */
export async function requeueIntake(ctx: Context, tx: Transaction, dead: DeadIntake): Promise<void> {
  const { entryId = "", ...fields } = dead.fields;
  const flat = Object.entries(fields).flatMap(([name, value]) => [name, String(value)]);
  flat.push("tenantId", ctx.tenantId, "data", Buffer.from(dead.data).toString("utf8"));
  const { outcome } = readIntake(String(entryId), flat, ctx.runtime.clock.nowMs());
  if ("faults" in outcome) throw invalidInput(outcome.faults);
  const { event, data } = outcome;
  const catalogue = new EventTypeCatalogue(ctx.runtime);
  const faults = await checkPayloads(ctx, catalogue, [{ event, data, at: "" }]);
  if (faults.length > 0) throw invalidInput(faults);
  const { correlationId } = dead;
  const isQueued = await insertOutboxEvent(tx, ctx.tenantId, { event, source: "API", correlationId });
  if (!isQueued) throw new HubError("conflict", "An event with this id is on its way already; try again.");
}
