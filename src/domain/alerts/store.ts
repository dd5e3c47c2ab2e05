import type { Sql } from "../../platform/postgres/client.ts";

/** An alert that is still to be sent over some channel. */
export interface AlertRow {
  id: string;
  tenantId: string | null;
  kind: string;
  title: string;
  data: Record<string, unknown>;
  createdAt: Date;
  webhookSentAt: Date | null;
  emailSentAt: Date | null;
  attempts: number;
}

/** What an attempt to send has come to. */
export interface AlertProgress {
  webhookSent: boolean;
  emailSent: boolean;
  error: string | null;
  /** Null when nothing is left to do. */
  nextAttemptAt: Date | null;
}

/** Alerts whose time has come, oldest first. */
export async function findDueAlerts(sql: Sql, limit: number): Promise<AlertRow[]> {
  return sql<AlertRow[]>`
    select id, tenant_id as "tenantId", kind, title, data, created_at as "createdAt",
      webhook_sent_at as "webhookSentAt", email_sent_at as "emailSentAt", attempts
    from operator_alerts where next_attempt_at <= now() order by next_attempt_at limit ${limit}`;
}

/** Books one attempt. */
export async function saveAlertProgress(sql: Sql, id: string, progress: AlertProgress): Promise<void> {
  await sql`
    update operator_alerts set
      webhook_sent_at = coalesce(webhook_sent_at, case when ${progress.webhookSent}::boolean then now() end),
      email_sent_at = coalesce(email_sent_at, case when ${progress.emailSent}::boolean then now() end),
      attempts = attempts + 1, last_error = ${progress.error}, next_attempt_at = ${progress.nextAttemptAt}
    where id = ${id}`;
}

/** Forgets alerts that are done and older than this. */
export async function deleteOldAlerts(sql: Sql, days: number): Promise<void> {
  await sql`
    delete from operator_alerts
    where next_attempt_at is null and created_at < now() - make_interval(days => ${days})`;
}
