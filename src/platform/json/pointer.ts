/** Array index of RFC 6901, section 4: no sign, no leading zero. */
const INDEX = /^(?:0|[1-9]\d*)$/;

/**
 * The value that a JSON pointer (RFC 6901) names, `undefined` where there is none. Only own members count, so
 * `/constructor` or `/__proto__` find nothing that the document does not hold.
 *
 * @param pointer `""` for the whole document, else `/` in front of each token (`~1` for `/`, `~0` for `~`)
 */
export function getPointer(document: unknown, pointer: string): unknown {
  if (pointer === "") return document;
  if (!isPointer(pointer)) return undefined;
  let value = document;
  for (const token of pointer.slice(1).split("/")) {
    if (typeof value !== "object" || value === null) return undefined;
    const name = token.replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(value) ? !INDEX.test(name) : !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** Whether a text is a JSON pointer: empty, or tokens each after `/`, `~` only as `~0` and `~1`. */
export function isPointer(text: string): boolean {
  return /^(?:\/(?:[^~/]|~[01])*)*$/.test(text);
}
