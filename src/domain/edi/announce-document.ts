import type { Transaction } from "../context.ts";
import { publishHubEvents } from "../events/publish-hub-event.ts";
import type { DocumentKind } from "./document-store.ts";
import { EDI_DOCUMENT } from "./edi-events.ts";
import type { PartnerRow } from "./partner-store.ts";

/** Tells that a document is to go out; a subscription delivers it. In the transaction that wrote the document. */
export async function announceDocument(
  tx: Transaction,
  document: {
    id: string;
    partner: PartnerRow;
    kind: DocumentKind;
    setCodes: readonly string[];
    interchangeControlNumber: number;
    bytes: Uint8Array;
    correlationId: string;
    now: Date;
  },
): Promise<void> {
  const { partner, bytes, id, correlationId, now, ...facts } = document;
  await publishHubEvents(tx, [
    {
      tenantId: partner.tenantId,
      type: EDI_DOCUMENT,
      data: {
        documentId: id,
        partnerId: partner.id,
        partnerName: partner.name,
        subscriptionId: partner.settings.subscriptionId ?? null,
        kind: facts.kind,
        setCodes: facts.setCodes,
        interchangeControlNumber: facts.interchangeControlNumber,
        x12: Buffer.from(bytes).toString("utf8"),
      },
      // A partner gets its documents in the order of their numbers.
      orderingKey: partner.id,
      correlationId,
      occurredAt: now,
    },
  ]);
}
