import type { Fact, ProviderManifest } from "./manifest-schema.ts";

/** What is known of a place in a manifest: the fact with the longest JSON pointer that covers it. */
export function factOf(manifest: Pick<ProviderManifest, "facts">, pointer: string): Fact | undefined {
  const facts = manifest.facts ?? {};
  for (let at = pointer; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
    if (Object.hasOwn(facts, at)) return facts[at];
  }
  return facts[""];
}
