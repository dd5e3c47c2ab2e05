/**
 * Where a JSON value holds what Postgres cannot store as text or jsonb: NUL (22021), or half of a surrogate pair (22P02).
 *
 * @param value of `JSON.parse`; its depth is bounded by whoever read it
 * @returns JSON pointer (RFC 6901) of the first such text, or of the object with a member of such a name; undefined when all
 * is well
 */
export function unstorablePlace(value: unknown, at = ""): string | undefined {
  if (typeof value === "string") return isStorable(value) ? undefined : at;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, member] of Object.entries(value)) {
    if (!isStorable(name)) return at;
    const place = unstorablePlace(member, `${at}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
    if (place !== undefined) return place;
  }
  return undefined;
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}
