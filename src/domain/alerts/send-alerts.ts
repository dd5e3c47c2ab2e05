import type { Lease } from "../../platform/lease.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { mailAlert } from "./mail-alert.ts";
import { postAlert } from "./post-alert.ts";
import { type AlertRow, findDueAlerts, saveAlertProgress } from "./store.ts";

const BATCH = 20;
/** First pause after a failed attempt; each further one is twice as long. */
const RETRY_MS = 5_000;
const RETRY_MAX_MS = 600_000;
/** An alert that nobody took for a day is old news. */
const GIVE_UP_AFTER_MS = 24 * 3_600_000;

/**
 * Sends what is due over every channel that is configured; a channel that took an alert does not get it again when the
 * other one fails. To be run by one process at a time.
 *
 * @returns how many alerts were dealt with
 */
export async function sendAlerts(runtime: Runtime, lease: Pick<Lease, "isHeld">): Promise<number> {
  const due = await findDueAlerts(runtime.sqlSystem, BATCH);
  await Promise.all(due.filter(() => lease.isHeld()).map((alert) => sendAlert(runtime, alert)));
  return due.length;
}

async function sendAlert(runtime: Runtime, alert: AlertRow): Promise<void> {
  const { config, clock, log, sqlSystem } = runtime;
  const { alertWebhookUrl: url, alertWebhookSecret: secret, alertEmailTo: to, smtpUrl, publicUrl } = config;
  const faults: string[] = [];
  const attempt = async (isWanted: boolean, send: () => Promise<void>): Promise<boolean> => {
    if (!isWanted) return false;
    try {
      await send();
      return true;
    } catch (error) {
      faults.push((error as Error).message);
      return false;
    }
  };
  const [webhookSent, emailSent] = await Promise.all([
    attempt(url !== undefined && alert.webhookSentAt === null, () =>
      postAlert(alert, { url: url!, secret, nowMs: clock.nowMs() }),
    ),
    attempt(to.length > 0 && smtpUrl !== undefined && alert.emailSentAt === null, () =>
      mailAlert(alert, { smtpUrl: smtpUrl!, to, publicUrl }),
    ),
  ]);
  const isOld = clock.nowMs() - alert.createdAt.getTime() > GIVE_UP_AFTER_MS;
  const isDone = faults.length === 0 || isOld;
  if (faults.length > 0) {
    const facts = { alertId: alert.id, kind: alert.kind, faults };
    if (isOld) log.error(facts, "alert was given up");
    else log.warn(facts, "alert was not sent; it is tried again");
  }
  await saveAlertProgress(sqlSystem, alert.id, {
    webhookSent,
    emailSent,
    error: faults.length === 0 ? null : faults.join("; "),
    nextAttemptAt: isDone ? null : new Date(clock.nowMs() + retryMs(alert.attempts)),
  });
}

function retryMs(attempts: number): number {
  return Math.min(RETRY_MS * 2 ** Math.min(attempts, 20), RETRY_MAX_MS);
}
