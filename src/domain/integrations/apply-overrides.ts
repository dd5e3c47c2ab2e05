import { getPointer } from "../../platform/json/pointer.ts";
import type { FieldError } from "../errors.ts";
import { checkOverridden } from "../providers/check-overridden.ts";
import { escapeToken } from "../providers/fill-template.ts";
import type { ProviderManifest } from "../providers/manifest-schema.ts";

/** What a tenant knows better than the manifest: JSON pointer → value. */
export type Overrides = Readonly<Record<string, unknown>>;

/** Parts that say who the provider is and where it may be reached: never a matter of one integration. */
const FIXED =
  /^(?:\/(?:manifestVersion|code|facts|fields|status|servers\/\d+\/(?:environment|region))(?:\/|$)|\/servers(?:\/\d+)?$|$)/;

/**
 * Judges overrides. Only a fact that nobody could verify, or that is marked as secondary, may be put right; what the
 * provider's own documentation says holds.
 */
export function checkOverrides(manifest: ProviderManifest, overrides: Overrides): FieldError[] {
  const faults = Object.keys(overrides).flatMap((pointer): FieldError[] => {
    const path = `/overrides/${escapeToken(pointer)}`;
    if (FIXED.test(pointer) || getPointer(manifest, pointer) === undefined)
      return [{ path, message: `the manifest of ${manifest.code} has nothing there that can be changed` }];
    const mark = markOf(manifest, pointer);
    return mark === "verified"
      ? [{ path, message: "is verified by the provider's own documentation, so it stays" }]
      : [];
  });
  if (faults.length > 0) return faults;
  return checkOverridden(manifest, applyOverrides(manifest, overrides)).map(({ path, message }) => ({
    path: "/overrides",
    message: `${path}: ${message}`,
  }));
}

/** The manifest as it is for one integration; parts that are gone since are left out. */
export function applyOverrides(manifest: ProviderManifest, overrides: Overrides): ProviderManifest {
  if (Object.keys(overrides).length === 0) return manifest;
  const result = structuredClone(manifest);
  for (const [pointer, value] of Object.entries(overrides)) {
    const slash = pointer.lastIndexOf("/");
    const parent = getPointer(result, pointer.slice(0, slash));
    const name = pointer
      .slice(slash + 1)
      .replaceAll("~1", "/")
      .replaceAll("~0", "~");
    if (typeof parent === "object" && parent !== null && Object.hasOwn(parent, name))
      (parent as Record<string, unknown>)[name] = value;
  }
  return result;
}

/** How sure the longest fact is that covers a part. */
function markOf(manifest: ProviderManifest, pointer: string): string | undefined {
  const [nearest] = Object.entries(manifest.facts ?? {})
    .filter(([fact]) => pointer === fact || pointer.startsWith(`${fact}/`))
    .toSorted(([left], [right]) => right.length - left.length);
  return nearest?.[1].mark;
}
