import type { ControlNumbers, Partner } from "./partner-schema.ts";
import type { PartnerRow } from "./partner-store.ts";

/** A partner as the API shows it. */
export function presentPartner(row: PartnerRow, controlNumbers: ControlNumbers): Partner {
  return {
    ...row,
    controlNumbers,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}
