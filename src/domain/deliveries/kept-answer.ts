import type { EgressResult } from "../../platform/egress/exchange.ts";
import { storableJson } from "../../platform/postgres/storable.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { createRedactor } from "../api-logs/redact.ts";
import type { SubscriptionAuth } from "../subscriptions/auth-config.ts";

/** What the history keeps of an answer: headers as JSON text, body or null. */
export interface KeptAnswer {
  responseHeaders: string;
  responseBody: Uint8Array | null;
}

/** For answers to requests that carried no credential. */
const namesOnly = createRedactor();

/**
 * What is kept of a receiver's answer. A receiver may send back what it was sent, so its credential is blanked wherever it
 * stands; a cookie is blanked too, because it is nobody's business but the receiver's.
 *
 * @param token access token that the request carried, with OAUTH2
 */
export function keepAnswer(
  { config: { logResponseBodies, logBodyMaxBytes } }: Pick<Runtime, "config">,
  { headers, body }: Extract<EgressResult, { kind: "response" }>,
  auth: SubscriptionAuth,
  token: string | undefined,
): KeptAnswer {
  const secrets = secretsOf(auth, token);
  const hasSecrets = secrets.length > 0;
  const isPlain = !hasSecrets && headers.get("set-cookie") === null;
  const redactor = hasSecrets ? createRedactor({ secrets }) : namesOnly;
  const cut = (): Uint8Array =>
    hasSecrets
      ? redactor.body(body, headers.get("content-type"), logBodyMaxBytes)
      : body.subarray(0, logBodyMaxBytes);
  return {
    responseHeaders: storableJson(isPlain ? headers : redactor.headers(Object.entries(headers.toJSON()))),
    responseBody: logResponseBodies && body.byteLength > 0 ? cut() : null,
  };
}

/** Values that a request carried as they are; of an HMAC only its digest is sent. */
function secretsOf(auth: SubscriptionAuth, token: string | undefined): readonly string[] {
  if (auth.type === "BASIC") return [auth.password];
  if (auth.type === "API_KEY") return [auth.value];
  if (auth.type === "OAUTH2") return token === undefined ? [auth.clientSecret] : [auth.clientSecret, token];
  return [];
}
