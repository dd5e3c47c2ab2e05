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
