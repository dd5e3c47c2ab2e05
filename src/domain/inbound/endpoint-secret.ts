import { invalidInput } from "../errors.ts";
import { checkSecret, generateSecret } from "./schemes/check-scheme.ts";
import { findScheme } from "./schemes/registry.ts";
import { ruleOf, type SchemeSettings } from "./schemes/scheme.ts";

/** Secrets shorter than this show nothing of themselves: four of twelve characters would be a third of them. */
const LAST4_LENGTH_MIN = 16;

/**
 * The secret that an endpoint is to use: the one given, or one made in the scheme's own form.
 *
 * @returns null for a scheme without a secret
 * @throws HubError 422 `invalid_input` when the given one is shorter than the scheme allows or not in its form, or none
 * was given and only the provider can make one
 */
export function newEndpointSecret(
  schemeName: string,
  settings: SchemeSettings,
  given: string | undefined,
): string | null {
  const scheme = findScheme(schemeName)!;
  const rule = ruleOf(scheme, settings);
  if (rule.kind === "none") return null;
  if (given === undefined) {
    if (rule.secret.generate !== undefined) return generateSecret(rule);
    throw invalidInput([{ path: "/secretKey", message: `is needed: ${scheme.title} gives it to you` }]);
  }
  const faults = checkSecret(rule, given);
  if (faults.length > 0) throw invalidInput(faults);
  return given;
}

/** Last four characters for recognising a secret, when it is long enough. */
export function secretLast4(secret: string | null): string | null {
  return secret !== null && secret.length >= LAST4_LENGTH_MIN ? secret.slice(-4) : null;
}
