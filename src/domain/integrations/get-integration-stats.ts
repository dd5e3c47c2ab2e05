import { type Context, requireScope, withTenant } from "../context.ts";
import { invalidInput, notFound } from "../errors.ts";
import { readTimes } from "../read-times.ts";
import type { IntegrationStats, StatsHour } from "./health-schema.ts";
import { readHours } from "./health-store.ts";
import { getIntegrationRow } from "./store.ts";

const HOUR_MS = 3_600_000;
const HOURS_DEFAULT = 24;
/** A week: the log rows of longer times are too many for one answer. */
const HOURS_MAX = 168;

/**
 * Calls of an integration by hour.
 *
 * @param input.from RFC 3339, taken down to its hour; 24 hours before `to` when left out
 * @param input.to taken up to its hour; now when left out
 * @throws HubError 403 `forbidden`; 404 `not_found`; 422 `invalid_input` for times that are none or more than a week
 */
export async function getIntegrationStats(
  ctx: Context,
  input: { id: string; from?: string; to?: string },
): Promise<IntegrationStats> {
  requireScope(ctx, "integrations:read");
  const { fromMs, toMs } = readHourRange(input, ctx.runtime.clock.nowMs());
  const { tenantId } = ctx;
  const rows = await withTenant(ctx, async (tx) => {
    if ((await getIntegrationRow(tx, tenantId, input.id)) === undefined) throw notFound();
    return readHours(tx, { tenantId, id: input.id, fromMs, toMs });
  });
  const byHour = new Map(rows.map((row) => [row.hour.getTime(), row]));
  const hours: StatsHour[] = [];
  for (let ms = fromMs; ms < toMs; ms += HOUR_MS) {
    hours.push({ ...(byHour.get(ms) ?? NO_CALLS), hour: new Date(ms).toISOString() });
  }
  const sum = (pick: (hour: StatsHour) => number): number =>
    hours.reduce((total, hour) => total + pick(hour), 0);
  return {
    integrationId: input.id,
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    totals: {
      calls: sum(({ calls }) => calls),
      successes: sum(({ successes }) => successes),
      clientErrors: sum(({ clientErrors }) => clientErrors),
      serverErrors: sum(({ serverErrors }) => serverErrors),
      timeouts: sum(({ timeouts }) => timeouts),
      retries: sum(({ retries }) => retries),
      bytesSent: sum(({ bytesSent }) => bytesSent),
      bytesReceived: sum(({ bytesReceived }) => bytesReceived),
    },
    hours,
  };
}

const NO_CALLS: Omit<StatsHour, "hour"> = {
  calls: 0,
  successes: 0,
  clientErrors: 0,
  serverErrors: 0,
  timeouts: 0,
  retries: 0,
  averageMs: null,
  p95Ms: null,
  bytesSent: 0,
  bytesReceived: 0,
};

function readHourRange(
  input: { from?: string; to?: string },
  nowMs: number,
): { fromMs: number; toMs: number } {
  const times = readTimes(input);
  const toMs = Math.ceil((times.toMs ?? nowMs) / HOUR_MS) * HOUR_MS;
  const fromMs = Math.floor((times.fromMs ?? toMs - HOURS_DEFAULT * HOUR_MS) / HOUR_MS) * HOUR_MS;
  if (fromMs >= toMs) throw invalidInput([{ path: "from", message: "must lie before `to`" }]);
  if (toMs - fromMs > HOURS_MAX * HOUR_MS)
    throw invalidInput([{ path: "from", message: `must lie at most ${HOURS_MAX} hours before \`to\`` }]);
  return { fromMs, toMs };
}
