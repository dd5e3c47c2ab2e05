import { bearerRule } from "./jwt.ts";
import type { Scheme } from "./scheme.ts";
import { TimedSettings } from "./settings.ts";

/**
 * Sage's page asks for the token's signature to be verified and does not name its algorithm; the key is the client
 * secret of the application whose client id the trigger names. Which header carries the idempotency key is not said
 * either: `eventIdSource` takes it once it was seen.
 */
export const sageIntacct: Scheme = {
  name: "sage-intacct",
  title: "Sage Intacct platform triggers",
  source: "https://developer.sage.com/intacct/docs/developer-portal/guides/webhooks",
  settings: TimedSettings,
  rule: (settings) => bearerRule({ ...settings, signatureHeader: null }),
};
