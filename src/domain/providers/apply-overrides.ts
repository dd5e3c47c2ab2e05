import { getPointer, isPointer } from "../../platform/json/pointer.ts";
import type { FieldError } from "../errors.ts";
import { checkManifest } from "./manifest-check.ts";
import type { Fact, ProviderManifest } from "./manifest-schema.ts";

/** Field of an integration's configuration: JSON pointer into the manifest → what stands there instead. */
export const OVERRIDES_FIELD = "overrides";

const OVERRIDES_MAX = 50;

/**
 * The manifest as one integration has it: what nobody could verify may be said otherwise by whoever knows better, for
 * example from a contract. What is verified stays, and so does everything that keeps environments apart.
 *
 * @param overrides the field `overrides` of the configuration
 * @returns the manifest, or every fault with its JSON pointer into the overrides
 */
export function applyOverrides(
  manifest: ProviderManifest,
  overrides: unknown,
): { ok: true; manifest: ProviderManifest } | { ok: false; errors: FieldError[] } {
  if (overrides === undefined || overrides === null) return { ok: true, manifest };
  if (typeof overrides !== "object" || Array.isArray(overrides))
    return { ok: false, errors: [{ path: "", message: "must be an object of JSON pointers and values" }] };
  const entries = Object.entries(overrides);
  if (entries.length > OVERRIDES_MAX)
    return { ok: false, errors: [{ path: "", message: `has more than ${OVERRIDES_MAX} entries` }] };
  const changed = structuredClone(manifest);
  const errors = entries.flatMap(([pointer, value]) => {
    const message = objection(manifest, pointer) ?? put(changed, pointer, value);
    return message === undefined ? [] : [{ path: `/${escaped(pointer)}`, message }];
  });
  if (errors.length > 0) return { ok: false, errors };
  const faults = checkManifest(changed);
  if (faults.length === 0) return { ok: true, manifest: changed };
  return {
    ok: false,
    errors: faults.map(({ path, message }) => {
      const cause = entries.find(([pointer]) => path === pointer || path.startsWith(`${pointer}/`));
      return cause === undefined
        ? { path: "", message: `${path} ${message}` }
        : { path: `/${escaped(cause[0])}`, message: `${path.slice(cause[0].length)} ${message}`.trim() };
    }),
  };
}

/** What is known of a place in the manifest: the fact with the longest pointer that covers it. */
export function factOf(manifest: Pick<ProviderManifest, "facts">, pointer: string): Fact | undefined {
  for (let at = pointer; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
    const facts = manifest.facts;
    if (facts !== undefined && Object.hasOwn(facts, at)) return facts[at];
  }
  return manifest.facts?.[""];
}

function objection(manifest: ProviderManifest, pointer: string): string | undefined {
  if (!isPointer(pointer) || pointer === "") return "is no JSON pointer into the manifest";
  if (
    /^\/(?:facts|fields|code|manifestVersion|otherAuth\/\d+\/when|servers\/\d+\/(?:environment|region))(?:\/|$)/.test(
      pointer,
    )
  )
    return "is nothing that an integration may change";
  const verified = Object.entries(manifest.facts ?? {}).some(
    ([at, { mark }]) => at.startsWith(`${pointer}/`) && mark !== "unverified",
  );
  if (verified || factOf(manifest, pointer)?.mark !== "unverified")
    return "is known for sure; only what is marked unverified may be changed";
  return undefined;
}

/** Changes one value; an array or object on the way has to exist. */
function put(manifest: ProviderManifest, pointer: string, value: unknown): string | undefined {
  const cut = pointer.lastIndexOf("/");
  const parent = getPointer(manifest, pointer.slice(0, cut));
  const name = pointer
    .slice(cut + 1)
    .replaceAll("~1", "/")
    .replaceAll("~0", "~");
  if (typeof parent !== "object" || parent === null) return "leads to nothing in the manifest";
  if (Array.isArray(parent)) {
    if (!/^(?:0|[1-9]\d*)$/.test(name) || Number(name) > parent.length)
      return "leads to nothing in the manifest";
    parent[Number(name)] = value;
    return undefined;
  }
  if (name === "__proto__") return "leads to nothing in the manifest";
  (parent as Record<string, unknown>)[name] = value;
  return undefined;
}

function escaped(pointer: string): string {
  return pointer.replaceAll("~", "~0").replaceAll("/", "~1");
}
