import { createTransport } from "nodemailer";
import type { AlertRow } from "./store.ts";

const TIMEOUT_MS = 10_000;

/** Who a mail comes from: `?from=` of SMTP_URL, else its user when that is an address, else a name at the hub's host. */
export function senderAddress(smtpUrl: URL, publicUrl: string): string {
  const from = smtpUrl.searchParams.get("from");
  if (from) return from;
  const user = decodeURIComponent(smtpUrl.username);
  return user.includes("@") ? user : `integration-hub@${new URL(publicUrl).hostname}`;
}

/**
 * Sends an alert by mail. Its Message-ID is that of the alert, so that a repetition is recognised.
 *
 * @param options.smtpUrl SMTP_URL
 * @throws Error when the server cannot be reached or takes it for no recipient
 */
export async function mailAlert(
  alert: AlertRow,
  options: { smtpUrl: string; to: readonly string[]; publicUrl: string },
): Promise<void> {
  const url = new URL(options.smtpUrl);
  const from = senderAddress(url, options.publicUrl);
  url.searchParams.delete("from");
  const isSecure = url.protocol === "smtps:";
  const transport = createTransport({
    host: url.hostname,
    port: Number(url.port) || (isSecure ? 465 : 587),
    secure: isSecure,
    ...(url.username === ""
      ? {}
      : { auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) } }),
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
  });
  try {
    await transport.sendMail({
      from,
      to: [...options.to],
      subject: `[Integration Hub] ${alert.title}`,
      messageId: `<${alert.id}@${new URL(options.publicUrl).hostname}>`,
      date: alert.createdAt,
      text: textOf(alert),
    });
  } finally {
    transport.close();
  }
}

function textOf({ kind, title, tenantId, data, createdAt }: AlertRow): string {
  const facts = { type: kind, at: createdAt.toISOString(), tenantId, ...data };
  const lines = Object.entries(facts)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
  return `${title}\n\n${lines.join("\n")}\n`;
}
