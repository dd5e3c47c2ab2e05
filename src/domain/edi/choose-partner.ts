import type { PartnerRow } from "./partner-store.ts";

/** A document for a partner, and the partner. */
export type ChosenPartner =
  | { ok: true; partner: PartnerRow; sets: unknown[] }
  | { ok: false; message: string };

/**
 * Whom a mapped document is for: its own `partner` (id or name), else the receiver of its `ISA`, else the partner whose
 * subscription sends it.
 *
 * @param output one set or a list of sets, as a mapping made it
 */
export function choosePartner(
  rows: readonly PartnerRow[],
  output: unknown,
  subscriptionId: string,
): ChosenPartner {
  const sets = (Array.isArray(output) ? (output as unknown[]) : [output]).map(withoutPartner);
  const [first] = sets;
  if (first === undefined) return { ok: false, message: "The mapping made no set" };
  const named = first.partner;
  const receiver = receiverOf(first.set);
  const found =
    named !== undefined
      ? rows.filter(({ id, name }) => id === named || name === named)
      : receiver !== undefined
        ? rows.filter(({ isaId }) => isaId === receiver)
        : rows.filter(({ settings }) => settings.subscriptionId === subscriptionId);
  const [partner] = found;
  if (partner !== undefined && found.length === 1)
    return { ok: true, partner, sets: sets.map(({ set }) => set) };
  const whom =
    named !== undefined
      ? `called ${JSON.stringify(named)}`
      : receiver !== undefined
        ? `with the interchange id ${receiver}`
        : "whose settings name this subscription, and the document names none by `partner` or ISA08";
  const count = found.length === 0 ? "no EDI partner" : `${found.length} EDI partners`;
  return { ok: false, message: `There is ${count} ${whom}` };
}

function withoutPartner(item: unknown): { set: unknown; partner: unknown } {
  if (typeof item !== "object" || item === null || !("partner" in item))
    return { set: item, partner: undefined };
  const { partner, ...set } = item;
  return { set, partner: partner ?? undefined };
}

function receiverOf(set: unknown): string | undefined {
  const isa = (set as { ISA?: { ISA08?: unknown } } | null)?.ISA?.ISA08;
  return typeof isa === "string" && isa.trim() !== "" ? isa.trim() : undefined;
}
