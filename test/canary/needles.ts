/** A secret that must never be seen again, and where it was put in. */
export interface Canary {
  slot: string;
  secret: string;
}

/** One find: which secret, how it was written, and where. */
export interface Find {
  slot: string;
  form: string;
  place: string;
}

/** Something that secrets could leak into. */
export interface Haystack {
  place: string;
  bytes: Buffer;
}

/** The ways in which a text can stand in other data, the plain one first. */
export function formsOf(secret: string): { form: string; needle: Buffer }[] {
  const bytes = Buffer.from(secret);
  const forms: [string, string | Buffer][] = [
    ["plain", bytes],
    ["JSON", JSON.stringify(secret).slice(1, -1)],
    ["URL-encoded", encodeURIComponent(secret)],
    ["hexadecimal", bytes.toString("hex")],
  ];
  for (const offset of [0, 1, 2]) {
    const whole = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    // The outer characters also carry bits of what stands beside the secret.
    const core = whole.slice(
      offset === 0 ? 0 : offset + 1,
      (bytes.length + offset) % 3 === 0 ? undefined : -1,
    );
    forms.push(
      [`base64 at ${offset}`, core],
      [`base64url at ${offset}`, core.replaceAll("+", "-").replaceAll("/", "_")],
    );
  }
  const seen = new Set<string>();
  return forms
    .map(([form, needle]) => ({ form, needle: Buffer.from(needle) }))
    .filter(({ needle }) => !seen.has(needle.toString("latin1")) && seen.add(needle.toString("latin1")));
}

/** Everything of the canaries that stands in the haystacks. */
export function search(canaries: readonly Canary[], haystacks: readonly Haystack[]): Find[] {
  return canaries.flatMap(({ slot, secret }) =>
    formsOf(secret).flatMap(({ form, needle }) =>
      haystacks.filter(({ bytes }) => bytes.includes(needle)).map(({ place }) => ({ slot, form, place })),
    ),
  );
}
