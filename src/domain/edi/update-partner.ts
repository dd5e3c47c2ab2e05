import { isDeepStrictEqual } from "node:util";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { invalidInput, notFound } from "../errors.ts";
import { announcePartners } from "./announce-partner.ts";
import { checkPartner } from "./check-partner.ts";
import { VERSION_DEFAULT } from "./create-partner.ts";
import { refuseDoubledEnvelope } from "./envelope-conflict.ts";
import { checkPartnerTemplates } from "./partner-templates.ts";
import type { Partner, UpdatePartnerInput } from "./partner-schema.ts";
import { getPartnerRow, type PartnerRow, type PartnerValues, updatePartnerRow } from "./partner-store.ts";
import { presentPartner } from "./present-partner.ts";
import { readControlNumbers, setControlNumbers } from "./store.ts";

/**
 * Changes the fields present; `null` resets a field, `settings` are replaced as a whole. The partner is judged as it will
 * stand.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `conflict` for an envelope that another partner has; 422
 * `invalid_input`
 */
export async function updatePartner(
  ctx: Context,
  input: { id: string; changes: UpdatePartnerInput },
): Promise<Partner> {
  requireScope(ctx, "transformations:write");
  const { id, changes } = input;
  const { controlNumbers = {}, ...given } = changes;
  const partner = await refuseDoubledEnvelope(() =>
    withTenant(ctx, async (tx) => {
      const current = await getPartnerRow(tx, ctx.tenantId, id, true);
      if (current === undefined) throw notFound();
      const wanted = withChanges(current, given);
      const faults = [
        ...(await checkPartner(ctx, tx, wanted)),
        ...(await checkPartnerTemplates(ctx, tx, wanted.settings)),
      ];
      if (faults.length > 0) throw invalidInput(faults);
      const changedFields = Object.keys(wanted).filter(
        (field) =>
          !isDeepStrictEqual(wanted[field as keyof PartnerValues], current[field as keyof PartnerRow]),
      );
      if (Object.keys(controlNumbers).length > 0) changedFields.push("controlNumbers");
      const row = changedFields.length === 0 ? current : await updatePartnerRow(tx, ctx.tenantId, id, wanted);
      await setControlNumbers(tx, { tenantId: ctx.tenantId, partnerId: id, numbers: controlNumbers });
      if (changedFields.length > 0) {
        await emitAudit(tx, ctx, {
          verb: "edi_partner.update",
          objectType: "edi_partner",
          objectId: id,
          changedFields,
        });
      }
      return presentPartner(row, (await readControlNumbers(tx, ctx.tenantId, [id])).get(id)!);
    }),
  );
  await announcePartners(ctx);
  return partner;
}

function withChanges(current: PartnerRow, given: Omit<UpdatePartnerInput, "controlNumbers">): PartnerValues {
  const isaId = given.isaId ?? current.isaId;
  const ownIsaId = given.ownIsaId ?? current.ownIsaId;
  const value = <T>(change: T | null | undefined, stored: T, reset: T): T =>
    change === undefined ? stored : (change ?? reset);
  return {
    name: given.name ?? current.name,
    isaQualifier: given.isaQualifier ?? current.isaQualifier,
    isaId,
    ownIsaQualifier: given.ownIsaQualifier ?? current.ownIsaQualifier,
    ownIsaId,
    gsId: value(given.gsId, current.gsId, isaId),
    ownGsId: value(given.ownGsId, current.ownGsId, ownIsaId),
    version: value(given.version, current.version, VERSION_DEFAULT),
    settings: value(given.settings, current.settings, {}),
  };
}
