import type { JwtRule, Scheme, SchemeSettings } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";
import { TEXT_SECRET } from "./text-secret.ts";

/** A token in `Authorization`, signed with the secret's text. */
export function bearerRule(settings: SchemeSettings): JwtRule {
  return {
    kind: "jwt",
    header: settings.signatureHeader?.toLowerCase() ?? "authorization",
    toleranceSeconds: toleranceSeconds(settings),
    secret: TEXT_SECRET,
  };
}

/** The body is not signed: a token proves the sender as long as it lasts. */
export const jwt: Scheme = {
  name: "jwt",
  title: "JSON Web Token behind Bearer (HS256 or HS512)",
  source: "https://www.rfc-editor.org/rfc/rfc7519",
  ownerChooses: ["signatureHeader"],
  settings: TimedSettings,
  rule: bearerRule,
};
