const MINUTE_MS = 60_000;

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Token buckets by name, in this process; a bounded number of them. */
export class TokenBuckets {
  readonly #perMinute: number;
  readonly #namesMax: number;
  readonly #buckets = new Map<string, Bucket>();

  /**
   * @param perMinute tokens of a full bucket, and how many it regains a minute
   * @param namesMax names known at a time; with all of them in use a further name gets nothing
   */
  constructor(perMinute: number, namesMax: number) {
    this.#perMinute = perMinute;
    this.#namesMax = namesMax;
  }

  /** Takes one token of the bucket of this name; false when it is empty. */
  tryTake(name: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(name) ?? this.#add(name, nowMs);
    if (bucket === undefined) return false;
    bucket.tokens = this.#tokensAt(bucket, nowMs);
    bucket.atMs = nowMs;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  #add(name: string, nowMs: number): Bucket | undefined {
    if (this.#buckets.size >= this.#namesMax) this.#forgetFull(nowMs);
    if (this.#buckets.size >= this.#namesMax) return undefined;
    const bucket = { tokens: this.#perMinute, atMs: nowMs };
    this.#buckets.set(name, bucket);
    return bucket;
  }

  /** A full bucket says the same as none. */
  #forgetFull(nowMs: number): void {
    for (const [name, bucket] of this.#buckets) {
      if (this.#tokensAt(bucket, nowMs) >= this.#perMinute) this.#buckets.delete(name);
    }
  }

  #tokensAt({ tokens, atMs }: Bucket, nowMs: number): number {
    const regained = (Math.max(0, nowMs - atMs) * this.#perMinute) / MINUTE_MS;
    return Math.min(this.#perMinute, tokens + regained);
  }
}
