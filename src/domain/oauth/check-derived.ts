import { addressPolicyOf } from "../../platform/egress/address-policy.ts";
import type { Config } from "../../platform/config.ts";
import { valueFault } from "../integrations/check-config.ts";
import type { Values } from "../providers/fill-template.ts";
import type { Environment, ProviderManifest } from "../providers/manifest-schema.ts";
import { resolveServer } from "../providers/resolve-server.ts";

/**
 * Judges what a redirect or a token answer told: values that anybody could have put into a URL. Each has to fit its field,
 * and the addresses that they make up have to be on a host of the integration's own environment.
 *
 * @returns what is wrong, without the value
 */
export function checkDerived(
  config: Config,
  integration: { manifest: ProviderManifest; environment: Environment; config: Values },
  derived: Readonly<Record<string, string>>,
): string | undefined {
  const { manifest, environment } = integration;
  const policy = addressPolicyOf(config);
  for (const [name, value] of Object.entries(derived)) {
    const field = manifest.fields.find((candidate) => candidate.name === name);
    if (
      field === undefined ||
      (field.kind !== "derived" && field.from === undefined && field.options === undefined)
    )
      return `"${name}" is no derived field of ${manifest.code}`;
    const fault = valueFault(field, value, policy);
    if (fault !== undefined) return `"${name}" ${fault}`;
  }
  const server = resolveServer(manifest, { environment, config: { ...integration.config, ...derived } });
  return server.ok || server.code === "missing_value" ? undefined : server.message;
}
