import { newId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { invalidInput } from "../errors.ts";
import { announcePartners } from "./announce-partner.ts";
import { checkPartner } from "./check-partner.ts";
import { refuseDoubledEnvelope } from "./envelope-conflict.ts";
import { checkPartnerTemplates } from "./partner-templates.ts";
import type { CreatePartnerInput, Partner } from "./partner-schema.ts";
import { insertPartnerRow } from "./partner-store.ts";
import { presentPartner } from "./present-partner.ts";
import { readControlNumbers, setControlNumbers } from "./store.ts";

/** Version of documents for partners that say nothing else: the one of motor carriers. */
export const VERSION_DEFAULT = "004010";

/**
 * Adds a trading partner.
 *
 * @throws HubError 403 `forbidden`; 409 `conflict` for an envelope that another partner has; 422 `invalid_input`
 */
export async function createPartner(ctx: Context, input: CreatePartnerInput): Promise<Partner> {
  requireScope(ctx, "transformations:write");
  const { controlNumbers = {}, ...given } = input;
  const values = {
    ...given,
    gsId: given.gsId ?? given.isaId,
    ownGsId: given.ownGsId ?? given.ownIsaId,
    version: given.version ?? VERSION_DEFAULT,
    settings: given.settings ?? {},
  };
  const partner = await refuseDoubledEnvelope(() =>
    withTenant(ctx, async (tx) => {
      const faults = [
        ...(await checkPartner(ctx, tx, values)),
        ...(await checkPartnerTemplates(ctx, tx, values.settings)),
      ];
      if (faults.length > 0) throw invalidInput(faults);
      const id = newId(ctx.runtime.clock.nowMs());
      const row = await insertPartnerRow(tx, { ...values, id, tenantId: ctx.tenantId });
      await setControlNumbers(tx, { tenantId: ctx.tenantId, partnerId: id, numbers: controlNumbers });
      await emitAudit(tx, ctx, { verb: "edi_partner.create", objectType: "edi_partner", objectId: id });
      return presentPartner(row, (await readControlNumbers(tx, ctx.tenantId, [id])).get(id)!);
    }),
  );
  await announcePartners(ctx);
  return partner;
}
