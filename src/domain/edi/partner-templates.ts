import type { Context, Transaction } from "../context.ts";
import type { FieldError } from "../errors.ts";
import { findVersion } from "../transformations/store.ts";
import type { PartnerSettings } from "./partner-schema.ts";

/** The templates of a partner's sets must be there and read X12. */
export async function checkPartnerTemplates(
  ctx: Context,
  tx: Transaction,
  { sets = {} }: PartnerSettings,
): Promise<FieldError[]> {
  const faults: FieldError[] = [];
  for (const [code, { template, version }] of Object.entries(sets)) {
    const path = `/settings/sets/${code}/template`;
    const number = version === "latest" ? undefined : version;
    // oxlint-disable-next-line no-await-in-loop -- one connection, a handful of sets
    const row = await findVersion(tx, ctx.tenantId, template, number);
    if (row === undefined) {
      const message = `there is no transformation "${template}" with version ${version ?? "latest"}`;
      faults.push({ path, message });
    } else if (row.sourceFormat !== "X12") {
      faults.push({ path, message: `"${template}" reads ${row.sourceFormat}, not X12` });
    }
  }
  return faults;
}
