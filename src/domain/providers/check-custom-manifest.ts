import { addressPolicyOf } from "../../platform/egress/address-policy.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { FieldError } from "../errors.ts";
import { escapeToken, placeholdersOf } from "./fill-template.ts";
import { checkManifest } from "./manifest-check.ts";
import { MANIFEST_VERSION, type ProviderManifest } from "./manifest-schema.ts";

/**
 * Judges a tenant's own manifest: as every manifest, and its addresses as what they are, chosen by somebody outside.
 *
 * @param input `manifestVersion` may be left out
 * @returns the manifest, or every fault with its JSON pointer
 */
export function checkCustomManifest(
  runtime: Pick<Runtime, "config">,
  input: Readonly<Record<string, unknown>>,
): { ok: true; manifest: ProviderManifest } | { ok: false; errors: FieldError[] } {
  const manifest = { manifestVersion: MANIFEST_VERSION, ...input };
  const errors = [...checkManifest(manifest)];
  if (errors.length > 0) return { ok: false, errors };
  const checked = manifest as unknown as ProviderManifest;
  const refused = addressFaults(runtime, checked);
  return refused.length > 0 ? { ok: false, errors: refused } : { ok: true, manifest: checked };
}

/** Private, link-local and metadata addresses are refused when they are written, and again at each call. */
function addressFaults(runtime: Pick<Runtime, "config">, manifest: ProviderManifest): FieldError[] {
  const policy = addressPolicyOf(runtime.config);
  return manifest.servers.flatMap((server, index) => {
    const places = [
      ["baseUrl", server.baseUrl],
      ["fallbackBaseUrl", server.fallbackBaseUrl],
      ...Object.entries(server.urls ?? {}).map(([name, url]) => [`urls/${escapeToken(name)}`, url]),
      ...Object.entries(server.defaults ?? {}).map(([name, url]) => [`defaults/${escapeToken(name)}`, url]),
    ] as [string, string | undefined][];
    const addresses = places.flatMap(([place, url]) => {
      const target = url === undefined ? undefined : literalOf(url);
      const verdict = target === undefined ? undefined : policy.checkUrl(target);
      return verdict !== undefined && "code" in verdict
        ? [{ path: `/servers/${index}/${place}`, message: verdict.message }]
        : [];
    });
    const hosts = server.allowedHosts.flatMap((host, place) => {
      if (placeholdersOf(host).length > 0) return [];
      const scheme = server.baseUrl.startsWith("http://") ? "http" : "https";
      const verdict = policy.checkUrl(`${scheme}://${host.replace(/^\*\./, "any.")}/`);
      return "code" in verdict
        ? [{ path: `/servers/${index}/allowedHosts/${place}`, message: verdict.message }]
        : [];
    });
    return [...addresses, ...hosts];
  });
}

/** An address whose host is written out; undefined where fields stand in it, which are judged at each call. */
function literalOf(url: string): string | undefined {
  const match = /^(https?:\/\/[^/]+)(\/.*)?$/.exec(url);
  return match === null || placeholdersOf(match[1]!).length > 0 ? undefined : match[1]!;
}
