import { aftership } from "./aftership.ts";
import { basic } from "./basic.ts";
import { calendly } from "./calendly.ts";
import { dropbox } from "./dropbox.ts";
import { easypost } from "./easypost.ts";
import { flexport } from "./flexport.ts";
import { github } from "./github.ts";
import { gitlab } from "./gitlab.ts";
import { hmac } from "./hmac.ts";
import { intercom } from "./intercom.ts";
import { linear } from "./linear.ts";
import { motive } from "./motive.ts";
import { none } from "./none.ts";
import { onfleet } from "./onfleet.ts";
import { paddle } from "./paddle.ts";
import { pagerduty } from "./pagerduty.ts";
import { postmark } from "./postmark.ts";
import { samsara } from "./samsara.ts";
import type { Scheme } from "./scheme.ts";
import { sendcloud } from "./sendcloud.ts";
import { ship24 } from "./ship24.ts";
import { shippo } from "./shippo.ts";
import { shopify } from "./shopify.ts";
import { slack } from "./slack.ts";
import { standardWebhooks } from "./standard-webhooks.ts";
import { stripe } from "./stripe.ts";
import { svix } from "./svix.ts";
import { terminal49 } from "./terminal49.ts";
import { token } from "./token.ts";
import { typeform } from "./typeform.ts";
import { uber } from "./uber.ts";
import { zendesk } from "./zendesk.ts";

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
  aftership,
  calendly,
  dropbox,
  easypost,
  flexport,
  gitlab,
  intercom,
  linear,
  motive,
  onfleet,
  paddle,
  pagerduty,
  postmark,
  samsara,
  sendcloud,
  ship24,
  shippo,
  terminal49,
  typeform,
  uber,
  zendesk,
];

const byName = new Map(SCHEMES.map((scheme) => [scheme.name, scheme]));

/** Values of `signatureScheme`. */
export const schemeNames: readonly string[] = [...byName.keys()];

/** The scheme of that name; undefined when there is none. */
export function findScheme(name: string): Scheme | undefined {
  return byName.get(name);
}
