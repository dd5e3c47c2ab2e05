import { storableJson } from "../../platform/json/parse-json.ts";
import type { Config } from "../../platform/config.ts";
import type { Transaction } from "../context.ts";

/** Something that an operator is to know. */
export interface Alert {
  /** Null for what concerns the whole hub. */
  tenantId: string | null;
  /** Dotted, as an event's type: `circuit.opened`. */
  kind: string;
  /** One line that says what happened to what; the subject of a mail. */
  title: string;
  /** No secrets. */
  data: Record<string, unknown>;
}

/**
 * Raises an alert in the transaction of what it tells of. It is sent afterwards by the job of `alert-jobs.ts`, also when
 * this process dies; without ALERT_WEBHOOK_URL and ALERT_EMAIL_TO nothing is written.
 *
 * @param tx of hub_system
 */
export async function raiseAlert(
  tx: Transaction,
  config: Pick<Config, "alertWebhookUrl" | "alertEmailTo">,
  alert: Alert,
): Promise<void> {
  if (config.alertWebhookUrl === undefined && config.alertEmailTo.length === 0) return;
  await tx`
    insert into operator_alerts (tenant_id, kind, title, data)
    values (${alert.tenantId}, ${alert.kind}, ${alert.title}, ${storableJson(alert.data)}::text::jsonb)`;
}
