import type { FieldError } from "../errors.ts";
import { overlapHosts } from "./host-pattern.ts";
import { checkManifest } from "./manifest-check.ts";
import type { ProviderManifest } from "./manifest-schema.ts";

/**
 * Judges a manifest in which an integration has changed what nobody could verify: as every manifest, and against the one
 * that it was made of, because whoever changes the hosts of both environments could else send a sandbox credential to a
 * production host.
 *
 * @returns every fault with its JSON pointer into the manifest
 */
export function checkOverridden(original: ProviderManifest, changed: ProviderManifest): FieldError[] {
  const faults = checkManifest(changed);
  if (faults.length > 0) return faults;
  const production = original.servers
    .filter(({ environment }) => environment === "PRODUCTION")
    .flatMap(({ allowedHosts }) => allowedHosts);
  return changed.servers.flatMap(({ environment, allowedHosts }, index) => {
    if (environment === "PRODUCTION") return [];
    return allowedHosts.flatMap((host, place) =>
      production.some((pattern) => overlapHosts(pattern, host))
        ? [
            {
              path: `/servers/${index}/allowedHosts/${place}`,
              message: "is a production host of the provider",
            },
          ]
        : [],
    );
  });
}
