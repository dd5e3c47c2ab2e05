import { adyen } from "./adyen.ts";
import { aftership } from "./aftership.ts";
import { asana } from "./asana.ts";
import { awsSns } from "./aws-sns.ts";
import { basic } from "./basic.ts";
import { box } from "./box.ts";
import { calendly } from "./calendly.ts";
import { discord, discordEvents } from "./discord.ts";
import { docusign } from "./docusign.ts";
import { dropbox } from "./dropbox.ts";
import { easypost } from "./easypost.ts";
import { ed25519 } from "./ed25519.ts";
import { flexport } from "./flexport.ts";
import { github } from "./github.ts";
import { gitlab } from "./gitlab.ts";
import { hmac } from "./hmac.ts";
import { hubspot } from "./hubspot.ts";
import { intercom } from "./intercom.ts";
import { jwt } from "./jwt.ts";
import { linear } from "./linear.ts";
import { mailgun } from "./mailgun.ts";
import { meta } from "./meta.ts";
import { motive } from "./motive.ts";
import { none } from "./none.ts";
import { okta } from "./okta.ts";
import { onfleet } from "./onfleet.ts";
import { paddle } from "./paddle.ts";
import { pagerduty } from "./pagerduty.ts";
import { postmark } from "./postmark.ts";
import { quickbooks } from "./quickbooks.ts";
import { sageIntacct } from "./sage-intacct.ts";
import { salesforce } from "./salesforce.ts";
import { samsara } from "./samsara.ts";
import type { Scheme } from "./scheme.ts";
import { sendcloud } from "./sendcloud.ts";
import { sendgrid } from "./sendgrid.ts";
import { ship24 } from "./ship24.ts";
import { shippo } from "./shippo.ts";
import { shopify } from "./shopify.ts";
import { slack } from "./slack.ts";
import { square } from "./square.ts";
import { standardWebhooks } from "./standard-webhooks.ts";
import { stripe } from "./stripe.ts";
import { svix } from "./svix.ts";
import { telnyx } from "./telnyx.ts";
import { terminal49 } from "./terminal49.ts";
import { token } from "./token.ts";
import { trello } from "./trello.ts";
import { twilio } from "./twilio.ts";
import { typeform } from "./typeform.ts";
import { uber } from "./uber.ts";
import { woocommerce } from "./woocommerce.ts";
import { xero } from "./xero.ts";
import { zendesk } from "./zendesk.ts";
import { zoho } from "./zoho.ts";
import { zoom } from "./zoom.ts";

/** Every scheme that an endpoint can name. */
export const SCHEMES: readonly Scheme[] = [
  hmac,
  ed25519,
  jwt,
  token,
  basic,
  none,
  standardWebhooks,
  adyen,
  aftership,
  asana,
  awsSns,
  box,
  calendly,
  discord,
  discordEvents,
  docusign,
  dropbox,
  easypost,
  flexport,
  github,
  gitlab,
  hubspot,
  intercom,
  linear,
  mailgun,
  meta,
  motive,
  okta,
  onfleet,
  paddle,
  pagerduty,
  postmark,
  quickbooks,
  sageIntacct,
  salesforce,
  samsara,
  sendcloud,
  sendgrid,
  ship24,
  shippo,
  shopify,
  slack,
  square,
  stripe,
  svix,
  telnyx,
  terminal49,
  trello,
  twilio,
  typeform,
  uber,
  woocommerce,
  xero,
  zendesk,
  zoho,
  zoom,
];

const byName = new Map(SCHEMES.map((scheme) => [scheme.name, scheme]));

/** Values of `signatureScheme`. */
export const schemeNames: readonly string[] = [...byName.keys()];

/** The scheme of that name; undefined when there is none. */
export function findScheme(name: string): Scheme | undefined {
  return byName.get(name);
}
