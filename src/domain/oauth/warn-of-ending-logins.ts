import type { Runtime } from "../../platform/runtime.ts";
import { raiseAlert } from "../alerts/raise-alert.ts";
import { publishHubEvents } from "../events/publish-hub-event.ts";
import { findEndingLogins, saveNextWarning } from "../integrations/token-store.ts";
import { nextWarning } from "./login-end.ts";

/** Log-ins of one run; the next run takes those that are left. */
const PIECE = 200;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/**
 * Tells operators (alert) and the tenant's subscribers (`integration.login_ending`) that somebody has to log in again
 * soon, because a refresh cannot prevent it. Told and noted in one transaction, so each time once.
 *
 * @returns how many were told of
 */
export async function warnOfEndingLogins(runtime: Runtime): Promise<number> {
  const { sqlSystem, config, clock } = runtime;
  const nowMs = clock.nowMs();
  return sqlSystem.begin(async (tx) => {
    const ending = await findEndingLogins(tx, { now: new Date(nowMs), limit: PIECE });
    for (const { id, tenantId, name, providerCode, environment, endsAt } of ending) {
      const data = {
        integrationId: id,
        name,
        providerCode,
        environment,
        endsAt: endsAt.toISOString(),
      };
      const left = leftUntil(endsAt, nowMs);
      const title = `Log-in ends in ${left}: ${name} (${providerCode}, ${environment}); somebody has to log in again`;
      // oxlint-disable-next-line no-await-in-loop -- one transaction
      await raiseAlert(tx, config, { tenantId, kind: "integration.login_ending", title, data });
      // oxlint-disable-next-line no-await-in-loop -- as above
      await publishHubEvents(tx, [
        { tenantId, type: "integration.login_ending", orderingKey: id, occurredAt: new Date(nowMs), data },
      ]);
      // oxlint-disable-next-line no-await-in-loop -- as above
      await saveNextWarning(tx, id, nextWarning(endsAt, nowMs));
    }
    return ending.length;
  });
}

function leftUntil(endsAt: Date, nowMs: number): string {
  const leftMs = Math.max(0, endsAt.getTime() - nowMs);
  const days = Math.round(leftMs / DAY_MS);
  const hours = Math.round(leftMs / HOUR_MS);
  if (days >= 2) return `${days} days`;
  return hours >= 2 ? `${hours} hours` : `${Math.round(leftMs / 60_000)} minutes`;
}
