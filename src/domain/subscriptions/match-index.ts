import type { SubscriptionEntry } from "./compiled-subscription.ts";

/** Places of all remembered answers together; beyond it they are forgotten and made again. */
const REMEMBERED_MAX = 1_000_000;
/** Types whose answer is remembered: publishers choose them, and a process sees few again and again. */
const TYPES_MAX = 10_000;

interface Answer {
  entries: readonly SubscriptionEntry[];
  hasFilters: boolean;
}

const NOTHING: Answer = { entries: [], hasFilters: false };

/**
 * One tenant's subscriptions by pattern. Which of them take a type is worked out once for each set of patterns that the
 * type meets, and remembered until a subscription changes: with 100,000 subscriptions to `*` an event costs a look-up
 * and no copy.
 */
export class MatchIndex {
  readonly #byId = new Map<string, SubscriptionEntry>();
  readonly #byPattern = new Map<string, Map<string, SubscriptionEntry>>();
  readonly #remembered = new Map<string, Answer>();
  #rememberedPlaces = 0;
  readonly #byType = new Map<string, Answer>();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): SubscriptionEntry | undefined {
    return this.#byId.get(id);
  }

  /** Adds a subscription, or replaces the one with its id. */
  put(entry: SubscriptionEntry): void {
    this.remove(entry.id);
    this.#byId.set(entry.id, entry);
    for (const pattern of entry.eventTypes) {
      let group = this.#byPattern.get(pattern);
      if (group === undefined) this.#byPattern.set(pattern, (group = new Map()));
      group.set(entry.id, entry);
    }
    this.#forget();
  }

  remove(id: string): void {
    const entry = this.#byId.get(id);
    if (entry === undefined) return;
    this.#byId.delete(id);
    for (const pattern of entry.eventTypes) {
      const group = this.#byPattern.get(pattern);
      group?.delete(id);
      if (group?.size === 0) this.#byPattern.delete(pattern);
    }
    this.#forget();
  }

  /** Subscriptions whose patterns take the type, each once, filters not looked at. The list is shared: do not change it. */
  byType(type: string): Answer {
    let answer = this.#byType.get(type);
    if (answer !== undefined) return answer;
    answer = this.#findByType(type);
    if (this.#byType.size >= TYPES_MAX) this.#byType.clear();
    this.#byType.set(type, answer);
    return answer;
  }

  #findByType(type: string): Answer {
    const met = this.#patternsMet(type);
    if (met.length === 0) return NOTHING;
    const key = met.join(" ");
    const known = this.#remembered.get(key);
    if (known !== undefined) return known;
    const entries = this.#unite(met);
    const answer = { entries, hasFilters: entries.some(({ filter }) => filter !== undefined) };
    this.#rememberedPlaces += entries.length;
    if (this.#rememberedPlaces > REMEMBERED_MAX) {
      this.#forget();
      this.#rememberedPlaces = entries.length;
    }
    this.#remembered.set(key, answer);
    return answer;
  }

  #patternsMet(type: string): string[] {
    const met = this.#byPattern.has(type) ? [type] : [];
    for (let length = 0; length <= type.length; length++) {
      const pattern = `${type.slice(0, length)}*`;
      if (this.#byPattern.has(pattern)) met.push(pattern);
    }
    return met;
  }

  #unite(patterns: readonly string[]): SubscriptionEntry[] {
    const groups = patterns.map((pattern) => this.#byPattern.get(pattern)!);
    if (groups.length === 1) return [...groups[0]!.values()];
    return [...new Map(groups.flatMap((group) => [...group])).values()];
  }

  #forget(): void {
    this.#byType.clear();
    if (this.#remembered.size === 0) return;
    this.#remembered.clear();
    this.#rememberedPlaces = 0;
  }
}
