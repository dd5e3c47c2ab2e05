/**
 * Makes a UUIDv7 (RFC 9562 section 5.7), monotonic within the process.
 *
 * @param nowMs time to put into the id, milliseconds since the epoch; the machine's clock when left out
 */
export function newId(nowMs?: number): string {
  return nowMs === undefined ? Bun.randomUUIDv7() : Bun.randomUUIDv7("hex", nowMs);
}

/** Milliseconds since the epoch inside a UUIDv7: its first 48 bits. Rows take `created_at` from here, never from NOW(). */
export function timeOfId(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** True for the canonical text form of any UUID version. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** The least UUIDv7 of a millisecond: a bound for ranges of ids, never the id of anything. */
export function floorId(ms: number): string {
  const hex = Math.floor(ms).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}
