/** Texts as one parameter. */
export interface JoinedText {
  text: string;
  /** Where each begins, in bytes from 1, and how many it has; null for one that is missing. */
  starts: (number | null)[];
  sizes: (number | null)[];
}

/**
 * Joins texts for one parameter that the statement cuts up again:
 * `substring((select convert_to(${text}::text, 'UTF8')) from start for size)`, which is evaluated once. In an array every
 * text would be quoted here and parsed character by character there, and one of bytea would be twice as long: 8 of 33 µs
 * for a row with 1 KB.
 *
 * @param texts without NUL
 */
export function joinTexts(texts: readonly (string | null | undefined)[]): JoinedText {
  const starts: (number | null)[] = [];
  const sizes: (number | null)[] = [];
  let text = "";
  let end = 1;
  for (const one of texts) {
    const size = one === undefined || one === null ? null : Buffer.byteLength(one);
    starts.push(size === null ? null : end);
    sizes.push(size);
    text += one ?? "";
    end += size ?? 0;
  }
  return { text, starts, sizes };
}
