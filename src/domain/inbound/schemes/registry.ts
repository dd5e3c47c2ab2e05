import { basic } from "./basic.ts";
import { github } from "./github.ts";
import { hmac } from "./hmac.ts";
import { none } from "./none.ts";
import type { Scheme } from "./scheme.ts";
import { shopify } from "./shopify.ts";
import { slack } from "./slack.ts";
import { standardWebhooks } from "./standard-webhooks.ts";
import { stripe } from "./stripe.ts";
import { svix } from "./svix.ts";
import { token } from "./token.ts";

/** Every scheme that an endpoint can name. */
export const SCHEMES: readonly Scheme[] = [
  hmac,
  token,
  basic,
  none,
  standardWebhooks,
  svix,
  stripe,
  github,
  shopify,
  slack,
];

const byName = new Map(SCHEMES.map((scheme) => [scheme.name, scheme]));

/** Values of `signatureScheme`. */
export const schemeNames: readonly string[] = [...byName.keys()];

/** The scheme of that name; undefined when there is none. */
export function findScheme(name: string): Scheme | undefined {
  return byName.get(name);
}
