import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import type { IntegrationHealth } from "./health-schema.ts";
import { readCircuits, readQuotaUse, readWindows } from "./health-store.ts";
import { presentSummary, presentWindow } from "./judge-health.ts";
import { getIntegrationRow } from "./store.ts";

const SECONDS = { last5Minutes: 300, lastHour: 3_600, last24Hours: 86_400 } as const;
/** Newest calls that the windows are made of: reading them takes less than a second. */
const CALLS_MAX = 100_000;

/**
 * How an integration is, as far as Postgres knows: breaker, use of the hour, token, last success and error, and its calls
 * of five minutes, an hour and a day.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function getIntegrationHealth(
  ctx: Context,
  input: { id: string },
): Promise<Omit<IntegrationHealth, "limits">> {
  requireScope(ctx, "integrations:read");
  const { tenantId } = ctx;
  const nowMs = ctx.runtime.clock.nowMs();
  return withTenant(ctx, async (tx) => {
    const row = await getIntegrationRow(tx, tenantId, input.id);
    if (row === undefined) throw notFound();
    const circuit = (await readCircuits(tx, tenantId, [row.id])).get(row.id);
    const quotas = await readQuotaUse(tx, { tenantId, id: row.id, now: new Date(nowMs) });
    const rows = await readWindows(tx, {
      tenantId,
      ids: [row.id],
      nowMs,
      seconds: Object.values(SECONDS),
      callsMax: CALLS_MAX,
    });
    const window = (name: keyof typeof SECONDS) =>
      presentWindow(
        rows.find(({ seconds }) => seconds === SECONDS[name]),
        CALLS_MAX,
      );
    const last5Minutes = window("last5Minutes");
    const expiresAt = row.oauthExpiresAt;
    return {
      ...presentSummary(row, { circuit, quotas, last5Minutes }),
      token:
        row.oauthTokens === null
          ? null
          : {
              expiresAt: expiresAt?.toISOString() ?? null,
              loginEndsAt: row.oauthLoginEndsAt?.toISOString() ?? null,
              secondsLeft: expiresAt === null ? null : Math.round((expiresAt.getTime() - nowMs) / 1_000),
            },
      quotas,
      windows: { last5Minutes, lastHour: window("lastHour"), last24Hours: window("last24Hours") },
    };
  });
}
