/**
 * Header fields of an answer, in the order in which they came. The runtime's `Headers` costs several microseconds an
 * answer, because every field crosses into native code and back.
 */
export class AnswerHeaders implements Iterable<[string, string]> {
  readonly #fields: [name: string, value: string][] = [];

  /** @param name a token, in any case; @param value without the line's end; space around it is dropped (RFC 9110 section 5.5) */
  append(name: string, value: string): void {
    this.#fields.push([name.toLowerCase(), value.trim()]);
  }

  /** Value of a field; those of a repeated one joined by ", " (RFC 9110 section 5.3); null when it is missing. */
  get(name: string): string | null {
    let found: string | null = null;
    for (const [known, value] of this.#fields) {
      if (known === name) found = found === null ? value : `${found}, ${value}`;
    }
    return found;
  }

  /** Names in lower case; a repeated field comes as often as it was sent. */
  [Symbol.iterator](): Iterator<[string, string]> {
    return this.#fields[Symbol.iterator]();
  }

  /** Every name once, for a log. */
  toJSON(): Record<string, string> {
    // Without a prototype: a receiver may well call a field `__proto__`.
    const joined = Object.create(null) as Record<string, string>;
    for (const [name, value] of this.#fields) {
      joined[name] = name in joined ? `${joined[name]}, ${value}` : value;
    }
    return joined;
  }
}
