import type { Runtime } from "../../platform/runtime.ts";
import { choosePartner } from "./choose-partner.ts";
import { partnersOf } from "./partner-directory.ts";
import { writeForPartner } from "./write-for-partner.ts";

/** The bytes of a delivery in X12, or why there are none. */
export type WrittenDelivery = { ok: true; bytes: Uint8Array } | { ok: false; code: string; message: string };

/**
 * Writes what a subscription's template made as an interchange of its partner. A retry of the same document gets the bytes
 * of the first try; another document, as after the template was mended, gets numbers of its own.
 *
 * @throws when Postgres is away
 */
export async function writeDelivery(
  runtime: Runtime,
  input: { tenantId: string; subscriptionId: string; eventId: string; output: unknown },
): Promise<WrittenDelivery> {
  const { tenantId, subscriptionId, eventId, output } = input;
  const { rows } = await partnersOf(runtime).of(tenantId);
  const chosen = choosePartner(rows, output, subscriptionId);
  if (!chosen.ok) return { ok: false, code: "x12_partner_unknown", message: chosen.message };
  const { partner, sets } = chosen;
  const digest = new Bun.CryptoHasher("sha256").update(JSON.stringify(sets)).digest("hex");
  const id = Bun.randomUUIDv5(`${eventId}/${partner.id}/${digest}`, subscriptionId);
  const now = new Date(runtime.clock.nowMs());
  const written = await runtime.sqlSystem.begin((tx) => writeForPartner(tx, { partner, id, sets, now }));
  if (written.ok) return { ok: true, bytes: written.bytes };
  const named = written.faults
    .slice(0, 3)
    .map(({ pointer, code, message }) => `${pointer}: ${code}: ${message}`);
  return { ok: false, code: "x12_unwritable", message: named.join("; ") };
}
