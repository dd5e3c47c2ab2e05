import type { ProviderManifest } from "./manifest-schema.ts";

/**
 * Names of the members that no log may hold, from the paths of the manifest's `redact`. Names and not paths, because what
 * is logged of a long body is cut and no document any more.
 */
export function redactedNames({ redact = [] }: Pick<ProviderManifest, "redact">): string[] {
  return redact
    .map((path) => path.split("/").findLast((token) => token !== "" && token !== "-" && !/^\d+$/.test(token)))
    .filter((name) => name !== undefined)
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}
