/**
 * Reads `Retry-After` (RFC 9110 section 10.2.3): seconds, or an HTTP date in one of its three forms (section 5.6.7).
 *
 * @returns seconds from now, 0 or more; undefined when the header is missing or neither
 */
export function retryAfterSeconds(value: string | null, nowMs: number): number | undefined {
  const text = value?.trim() ?? "";
  if (/^\d+$/.test(text)) return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
  // `Date.parse` takes much that is no HTTP date, for example "1.5".
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined;
  // The form of asctime names no zone and means GMT; `Date.parse` would take the machine's own.
  const atMs = Date.parse(/ \d{4}$/.test(text) ? `${text} GMT` : text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, Math.ceil((atMs - nowMs) / 1000));
}
