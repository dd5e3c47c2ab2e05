import { timingSafeEqual } from "node:crypto";
import type { Runtime } from "../../platform/runtime.ts";
import { apiKeyPrefix, hashApiKey, namedPrefix } from "./api-key-format.ts";
import { type ApiKeyCredential, findApiKeyCredential, touchApiKey } from "./store.ts";

/** A revoked key works at most this long where the invalidation message was lost. */
const ENTRY_LIFETIME_MS = 5000;

/** Entries kept; a flood of made-up prefixes turns them over without filling the memory. */
const ENTRIES_MAX = 10_000;

/** `last_used_at` is written at most this often for a key. */
const TOUCH_INTERVAL_MS = 60_000;

/** Compared with when there is no such key, so that a miss takes the time of a hit. */
const NO_HASH = Buffer.alloc(32);

interface Entry {
  credential: ApiKeyCredential | null;
  /** Bytes of the key that was found to be the right one: it is not hashed again while the entry lives. */
  proven: Buffer | undefined;
  expiresAtMs: number;
}

/** Judges API keys; remembers rows for 5 s, so that a call of the gateway does not cost a query. */
export class ApiKeyCache {
  readonly #runtime: Runtime;
  readonly #entries = new Map<string, Entry>();
  readonly #touchedAtMs = new Map<string, number>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /**
   * The credential of a presented key.
   *
   * @returns undefined for a key that is malformed, unknown, revoked, expired or wrong; the caller learns no difference
   * @throws the database's error when it cannot be asked
   */
  async verify(key: string): Promise<ApiKeyCredential | undefined> {
    const known = this.#fresh(namedPrefix(key));
    const entry = known !== undefined && isProven(known, key) ? known : await this.#prove(key);
    if (entry?.credential === null || entry === undefined) return undefined;
    const { credential } = entry;
    const nowMs = this.#runtime.clock.nowMs();
    if (credential.expiresAt !== null && credential.expiresAt.getTime() <= nowMs) return undefined;
    this.#touch(credential.id, nowMs);
    return credential;
  }

  /** The entry of a key whose checksum and hash are right. */
  async #prove(key: string): Promise<Entry | undefined> {
    const prefix = apiKeyPrefix(key);
    if (prefix === undefined) return undefined;
    const entry = await this.#find(prefix);
    const { credential } = entry;
    const stored = credential === null ? NO_HASH : Buffer.from(credential.secretHash, "hex");
    const same = timingSafeEqual(hashApiKey(key), stored.length === 32 ? stored : NO_HASH);
    if (credential === null || !same) return undefined;
    entry.proven = Buffer.from(key);
    return entry;
  }

  /** Forgets the key of a prefix: it was revoked. */
  invalidate(prefix: string): void {
    this.#entries.delete(prefix);
  }

  /** Forgets all: messages may have been lost. */
  clear(): void {
    this.#entries.clear();
  }

  #fresh(prefix: string): Entry | undefined {
    const known = this.#entries.get(prefix);
    return known !== undefined && known.expiresAtMs > this.#runtime.clock.nowMs() ? known : undefined;
  }

  async #find(prefix: string): Promise<Entry> {
    const nowMs = this.#runtime.clock.nowMs();
    const known = this.#fresh(prefix);
    if (known !== undefined) return known;
    const credential = (await findApiKeyCredential(this.#runtime.sqlSystem, prefix)) ?? null;
    // Map keeps the order of insertion: the first key is the oldest entry.
    this.#entries.delete(prefix);
    if (this.#entries.size >= ENTRIES_MAX) this.#entries.delete(this.#entries.keys().next().value!);
    const entry: Entry = { credential, proven: undefined, expiresAtMs: nowMs + ENTRY_LIFETIME_MS };
    this.#entries.set(prefix, entry);
    return entry;
  }

  /** Best effort: a call must neither wait for this nor fail by it. */
  #touch(id: string, nowMs: number): void {
    if (nowMs - (this.#touchedAtMs.get(id) ?? 0) < TOUCH_INTERVAL_MS) return;
    if (this.#touchedAtMs.size >= ENTRIES_MAX) this.#touchedAtMs.clear();
    this.#touchedAtMs.set(id, nowMs);
    touchApiKey(this.#runtime.sqlSystem, id, new Date(nowMs)).catch((error: unknown) => {
      this.#runtime.log.warn({ err: error }, "last_used_at was not written");
    });
  }
}

/** In constant time, as the comparison of hashes is. */
function isProven({ proven }: Entry, key: string): boolean {
  if (proven === undefined || key.length !== proven.length) return false;
  const bytes = Buffer.from(key);
  return bytes.length === proven.length && timingSafeEqual(bytes, proven);
}
