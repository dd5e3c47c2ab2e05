import { buildInterchange, type InterchangeInput } from "../../platform/x12/build-interchange.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { Transaction } from "../context.ts";
import { announceDocument } from "./announce-document.ts";
import { deleteExpiredDocuments } from "./document-store.ts";
import type { PartnerRow } from "./partner-store.ts";
import type { MessageInterchange } from "./read-x12-message.ts";
import { rememberInterchange } from "./store.ts";
import { type DocumentNumbers, writeDocument } from "./write-document.ts";

const DAY_SECONDS = 86_400;

/** Time in which the same numbers mean the same interchange, where a partner says nothing else. */
const DUPLICATE_DAYS_DEFAULT = 30;

export interface ReceivedInterchange {
  partner: PartnerRow;
  interchange: MessageInterchange;
  /** Its place in the body, from 0. */
  index: number;
  receiptId: string;
  /** Of the body: a mended body gets a reply of its own. */
  digest: string;
  correlationId: string;
}

/**
 * Takes an interchange in: remembers it, and answers it as its partner wants, in one transaction. Done again for the same
 * receipt it changes nothing. A refused interchange is not remembered: mended, its sender may send it with the same
 * numbers.
 *
 * @returns the receipt that brought it before; null when it is new
 * @throws when Postgres is away
 */
export async function receiveInterchange(
  runtime: Runtime,
  received: ReceivedInterchange,
): Promise<{ duplicateOf: string } | null> {
  const { partner, interchange, receiptId } = received;
  const now = new Date(runtime.clock.nowMs());
  return runtime.sqlSystem.begin(async (tx) => {
    const duplicate = interchange.accepted
      ? await rememberInterchange(tx, {
          tenantId: partner.tenantId,
          key: interchange.key,
          sourceId: receiptId,
          now,
          windowSeconds: (partner.settings.duplicateDays ?? DUPLICATE_DAYS_DEFAULT) * DAY_SECONDS,
        })
      : null;
    const reply = duplicate === null ? interchange.reply.first : interchange.reply.duplicate;
    if (reply !== null)
      await answer(tx, runtime, { ...received, reply, now, isDuplicate: duplicate !== null });
    return duplicate;
  });
}

async function answer(
  tx: Transaction,
  runtime: Runtime,
  received: ReceivedInterchange & { reply: InterchangeInput; now: Date; isDuplicate: boolean },
): Promise<void> {
  const { partner, reply, now, correlationId } = received;
  const setCodes = reply.groups.flatMap(({ sets }) => sets.map(({ code }) => code));
  const name = `${received.index}/${received.isDuplicate ? "duplicate" : received.digest}`;
  const id = Bun.randomUUIDv5(name, received.receiptId);
  await deleteExpiredDocuments(
    tx,
    new Date(now.getTime() - runtime.config.logRetentionDays * DAY_SECONDS * 1_000),
  );
  const written = await writeDocument(tx, {
    partner,
    id,
    kind: "ACKNOWLEDGMENT",
    setCodes,
    functionalId: reply.groups[0]?.functionalId ?? null,
    write: (numbers) => buildInterchange(numbered(reply, numbers)),
    now,
  });
  if (!written.ok) {
    // What it quotes of the document was cleaned, so this is ours to mend; the document itself is taken in all the same.
    runtime.log.error({ faults: written.faults, partnerId: partner.id }, "acknowledgment cannot be written");
    return;
  }
  if (!written.isNew) return;
  await announceDocument(tx, {
    id,
    partner,
    kind: "ACKNOWLEDGMENT",
    setCodes,
    interchangeControlNumber: written.numbers.interchange,
    bytes: written.bytes,
    correlationId,
    now,
  });
}

/** A reply with its control numbers. */
function numbered(reply: InterchangeInput, { interchange, group, set }: DocumentNumbers): InterchangeInput {
  return {
    ...reply,
    controlNumber: interchange,
    groups: reply.groups.map((one) => ({
      ...one,
      controlNumber: group,
      sets: one.sets.map((inner, index) => ({ ...inner, controlNumber: set + index })),
    })),
  };
}
