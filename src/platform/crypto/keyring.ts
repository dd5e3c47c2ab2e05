/** One key of INTEGRATION_ENCRYPTION_KEY. */
export interface RingKey {
  id: string;
  /** 32 bytes. */
  key: Uint8Array;
}

/** Keys that wrap the tenants' data keys. The first seals; all open. */
export interface KeyRing {
  /** @throws KeyRingError when the ring is empty */
  active(): RingKey;
  /** @throws KeyRingError when there is no key of this id: it was taken from the list while something needs it */
  get(id: string): RingKey;
  ids(): string[];
}

export class KeyRingError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "KeyRingError";
  }
}

const KEY_ID = /^[A-Za-z0-9_.-]{1,64}$/;
const BASE64_32_BYTES = /^[A-Za-z0-9+/_-]{43}=?$/;

/**
 * Reads INTEGRATION_ENCRYPTION_KEY: `id:base64(32 bytes)`, comma-separated, the first one active.
 *
 * @param text may be empty: the ring then refuses to seal and to open
 * @throws KeyRingError naming the entry by its place, never by its content
 */
export function parseKeyRing(text: string): KeyRing {
  const entries = text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
  const keys = new Map<string, RingKey>();
  entries.forEach((entry, index) => {
    const key = parseEntry(entry, index + 1);
    if (keys.has(key.id)) throw faulty(index + 1, `the id "${key.id}" stands twice`);
    keys.set(key.id, key);
  });
  return {
    active() {
      const first = keys.values().next().value;
      if (first === undefined) throw new KeyRingError("Cannot seal: INTEGRATION_ENCRYPTION_KEY is empty");
      return first;
    },
    get(id) {
      const key = keys.get(id);
      if (key === undefined) {
        throw new KeyRingError(
          `Cannot open: INTEGRATION_ENCRYPTION_KEY has no key "${id}" (keep old keys at the end)`,
        );
      }
      return key;
    },
    ids: () => [...keys.keys()],
  };
}

function parseEntry(entry: string, place: number): RingKey {
  const colon = entry.indexOf(":");
  if (colon < 1) throw faulty(place, "expected id:base64(32 bytes)");
  const id = entry.slice(0, colon);
  const encoded = entry.slice(colon + 1);
  if (!KEY_ID.test(id)) throw faulty(place, "the id may hold letters, digits, dots, dashes and underscores");
  if (!BASE64_32_BYTES.test(encoded))
    throw faulty(place, "the key must be 32 bytes in base64 (openssl rand -base64 32)");
  const key = Buffer.from(encoded, "base64");
  if (key.length !== 32) throw faulty(place, `the key has ${key.length} bytes instead of 32`);
  return { id, key };
}

function faulty(place: number, problem: string): KeyRingError {
  return new KeyRingError(`Cannot read INTEGRATION_ENCRYPTION_KEY, entry ${place}: ${problem}`);
}
