import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { parseAlgorithm } from "./hmac-settings.ts";
import {
  type Algorithm,
  type KeyForm,
  type PrefixedHashAlgorithm,
  type Rule,
  ruleOf,
  type Scheme,
  type SchemeSettings,
  type SettingFault,
} from "./scheme.ts";
import { makeSecret, readSecretKey } from "./secret-key.ts";

const NoSettings = Type.Object({}, { additionalProperties: false });

/**
 * Judges the settings with which an endpoint is to be saved. A header or an algorithm that the provider fixed may be
 * named, but not changed.
 *
 * @returns each fault with its JSON pointer into the endpoint; none when `compileVerifier` will take the settings
 */
export function checkScheme(scheme: Scheme, settings: SchemeSettings): SettingFault[] {
  const faults: SettingFault[] = [];
  for (const error of Value.Errors(scheme.settings ?? NoSettings, settings.signatureSettings ?? {})) {
    const path = `/signatureSettings${error.path}`;
    if (!faults.some((fault) => fault.path === path))
      faults.push({ path, message: settingMessage(scheme, error.message) });
  }
  if (faults.length === 0) faults.push(...(scheme.checkSettings?.(settings) ?? []));
  if (faults.length > 0) return faults;
  const rule = ruleOf(scheme, settings);
  const { signatureHeader, signatureAlgorithm } = settings;
  if (
    isFixed(scheme, "signatureHeader", signatureHeader) &&
    !ownHeaders(rule).includes(signatureHeader.toLowerCase())
  ) {
    faults.push({ path: "/signatureHeader", message: `is fixed by the scheme ${scheme.name}: leave it out` });
  }
  if (isFixed(scheme, "signatureAlgorithm", signatureAlgorithm) && !usesAlgorithm(rule, signatureAlgorithm)) {
    faults.push({
      path: "/signatureAlgorithm",
      message: `is fixed by the scheme ${scheme.name}: leave it out`,
    });
  }
  return faults;
}

/** Judges a secret that the owner gave. The message never repeats it. */
export function checkSecret(rule: Rule, secret: string): SettingFault[] {
  if (rule.kind === "none")
    return [{ path: "/secretKey", message: "is not used by this scheme: leave it out" }];
  const key = readSecretKey(rule.secret, secret);
  return "fault" in key ? [{ path: "/secretKey", message: key.fault }] : [];
}

/**
 * Whether others know the secret under this rule: a public key, or a name such as an organisation's id. Used as a shared
 * secret by another rule, anybody could sign with it.
 */
export function isKnownToOthers(rule: Rule, secret: string): boolean {
  if (rule.kind === "none") return false;
  if (rule.kind === "certificate") return true;
  if (rule.kind === "token") return rule.isPublic === true;
  const key = readSecretKey(rule.secret, secret);
  return "use" in key && isPublicKey(key);
}

/** Whether secrets that verified under `former` keep their meaning under `next`, or were never known to others. */
export function keepsEarlierSecrets(former: Rule, next: Rule): boolean {
  if (former.kind === "none") return true;
  const mayBeKnown =
    former.kind === "certificate" ||
    (former.kind === "token" && former.isPublic === true) ||
    former.secret.keys.some(isPublicKey);
  return (
    !mayBeKnown ||
    (next.kind !== "none" &&
      former.kind === next.kind &&
      JSON.stringify(former.secret) === JSON.stringify(next.secret))
  );
}

function isPublicKey({ use }: Pick<KeyForm, "use">): boolean {
  return use === "ed25519" || use === "ecdsa-p256";
}

/**
 * Makes a secret in the form of the scheme.
 *
 * @throws RangeError for the rule `none`, which has no secret, and where only the provider can make one
 */
export function generateSecret(rule: Rule): string {
  if (rule.kind === "none") throw new RangeError("The scheme has no secret");
  if (rule.secret.generate === undefined) throw new RangeError("Only the provider can give this secret");
  return makeSecret(rule.secret.generate);
}

function isFixed(
  scheme: Scheme,
  field: "signatureHeader" | "signatureAlgorithm",
  value: string | null | undefined,
): value is string {
  return typeof value === "string" && scheme.ownerChooses?.includes(field) !== true;
}

function ownHeaders(rule: Rule): readonly string[] {
  if (rule.kind === "signature") return rule.headers.map(({ signature }) => signature);
  if (rule.kind === "composed") return rule.headers;
  if (rule.kind === "jwt") return [rule.header];
  return rule.kind === "basic" ? ["authorization"] : [];
}

function usesAlgorithm(rule: Rule, text: string): boolean {
  const algorithms = algorithmsOf(rule);
  const named = parseAlgorithm(text);
  return algorithms.some(
    (own) =>
      own.type === "hmac" &&
      own.hash === named?.hash &&
      (named.encoding === undefined || named.encoding === own.encoding),
  );
}

function algorithmsOf(rule: Rule): readonly (Algorithm | PrefixedHashAlgorithm)[] {
  if (rule.kind === "composed") return [rule.algorithm];
  if (rule.kind !== "signature") return [];
  const { grammar } = rule;
  return grammar.form === "whole" ? [grammar.algorithm] : Object.values(grammar.algorithms);
}

function settingMessage(scheme: Scheme, message: string): string {
  return message === "Unexpected property" ? `is not a setting of the scheme ${scheme.name}` : message;
}
