import { writeX12Document } from "../../platform/x12/write-x12-document.ts";
import type { Context, Transaction } from "../context.ts";
import type { FieldError } from "../errors.ts";
import { matchesPattern } from "../events/event-type.ts";
import { getSubscriptionRow } from "../subscriptions/store.ts";
import { EDI_DOCUMENT } from "./edi-events.ts";
import { envelopeFor } from "./partner-envelope.ts";
import type { PartnerValues } from "./partner-store.ts";

/** A document as small as one can be: what refuses it is the envelope. */
const PROBE = {
  ST: { ST01: "997" },
  AK1: { AK101: "SM", AK102: "1" },
  AK9: { AK901: "A", AK902: "1", AK903: "1", AK904: "1" },
};

/** Fields that the elements of the envelope come from. */
const FIELD_OF_ELEMENT: Readonly<Record<string, string>> = {
  "/ISA/ISA05": "/ownIsaQualifier",
  "/ISA/ISA06": "/ownIsaId",
  "/ISA/ISA07": "/isaQualifier",
  "/ISA/ISA08": "/isaId",
  "/ISA/ISA12": "/settings/writing/interchangeVersion",
};

/**
 * Judges a partner as it is to be stored, so that what is saved also works: a document is written with its envelope, and
 * its subscription must be there and take `edi.document` events. Every fault is told at once.
 */
export async function checkPartner(
  ctx: Context,
  tx: Transaction,
  partner: PartnerValues,
): Promise<FieldError[]> {
  return [...envelopeFaults(partner), ...(await subscriptionFaults(ctx, tx, partner))];
}

function envelopeFaults(partner: PartnerValues): FieldError[] {
  const faults: FieldError[] = [];
  const { isaQualifier, isaId, ownIsaQualifier, ownIsaId } = partner;
  if (isaQualifier === ownIsaQualifier && isaId === ownIsaId) {
    faults.push({ path: "/isaId", message: "must differ from ownIsaId: nobody sends documents to himself" });
  }
  const separators = separatorFaults(partner);
  if (separators.length > 0) return [...faults, ...separators];
  const outcome = writeX12Document(
    PROBE,
    envelopeFor(partner, { interchange: 1, group: 1, set: 1 }, new Date(0)),
  );
  if (outcome.ok) return faults;
  for (const { pointer, message } of outcome.faults)
    faults.push({ path: fieldOf(pointer, partner), message });
  return faults;
}

/** What stands for a separator that the settings leave out; the repetition separator is chosen beside the others. */
const USUAL_SEPARATORS = { element: "*", component: ">", segment: "~" } as const;

/** Separators that data could hold as they are, or that are one another. */
function separatorFaults({ settings }: PartnerValues): FieldError[] {
  const given = settings.writing?.separators ?? {};
  const faults: FieldError[] = [];
  const taken = new Map<string, string>();
  const all = Object.entries({ ...USUAL_SEPARATORS, ...given });
  // Those that are written first, so that a fault names a separator that the settings have.
  for (const [name, separator] of all.toSorted(
    ([one], [other]) => Number(one in given) - Number(other in given),
  )) {
    if (separator === null || separator === undefined) continue;
    const path = `/settings/writing/separators/${name}`;
    const twin = taken.get(separator);
    if ([...separator].length !== 1) faults.push({ path, message: "must be one character" });
    else if (/^[\p{L}\p{N} ]$/u.test(separator))
      faults.push({ path, message: "must be no letter, digit or blank: data hold these" });
    else if (twin !== undefined) faults.push({ path, message: `must differ from the ${twin} separator` });
    taken.set(separator, name);
  }
  return faults;
}

function fieldOf(pointer: string, partner: PartnerValues): string {
  const field = FIELD_OF_ELEMENT[pointer];
  if (field !== undefined) return field;
  if (pointer.startsWith("/separators")) return `/settings/writing${pointer}`;
  if (pointer.startsWith("/GS")) return partner.gsId.length < partner.ownGsId.length ? "/gsId" : "/ownGsId";
  return "/settings/writing";
}

async function subscriptionFaults(
  ctx: Context,
  tx: Transaction,
  { settings }: PartnerValues,
): Promise<FieldError[]> {
  const { subscriptionId } = settings;
  if (subscriptionId === undefined || subscriptionId === null) return [];
  const path = "/settings/subscriptionId";
  const subscription = await getSubscriptionRow(tx, ctx.tenantId, subscriptionId);
  if (subscription === undefined) return [{ path, message: "is no subscription of this tenant" }];
  if (subscription.eventTypes.some((pattern) => matchesPattern(pattern, EDI_DOCUMENT))) return [];
  return [{ path, message: `must be a subscription whose eventTypes take ${EDI_DOCUMENT}` }];
}
