import type { Sender } from "../../platform/egress/send.ts";
import type { CompiledSubscription } from "../subscriptions/compiled-subscription.ts";
import { OAuthTokens, type TokenOutcome } from "./oauth-token.ts";
import { compileHmacForm, type Signable } from "./signature-forms.ts";

/** What authentication needs of a subscription. */
export type AuthenticatedSubscription = Pick<CompiledSubscription, "tenantId" | "url" | "auth">;

/**
 * What authentication adds to one attempt, or why there is none. `url` holds the key of an API_KEY in the query, so it
 * is for the wire and not for a log. `token` is the one that OAUTH2 used. The message names no secret.
 */
export type Authorization =
  | { ok: true; url: string; headers: Readonly<Record<string, string>>; token?: string }
  | { ok: false; code: "oauth_token_failed"; message: string };

type Authorizer = (input: Signable) => Authorization | Promise<Authorization>;

const API_KEY_DEFAULT = "x-api-key";

/** Adds what `authType` asks for, on top of the signature that every delivery has. */
export class SubscriptionAuthorizer {
  readonly #tokens: OAuthTokens;
  /** Prepared once for each state of a subscription: its object is replaced when its settings change. */
  readonly #prepared = new WeakMap<AuthenticatedSubscription, Authorizer>();

  constructor(deps: { sender: Sender; nowMs(): number }) {
    this.#tokens = new OAuthTokens(deps);
  }

  /**
   * Authorizes one attempt, at once unless a token must be fetched first. Never rejects.
   *
   * @returns the address to call and the headers to add, names in lower case
   */
  authorize(
    subscription: AuthenticatedSubscription,
    input: Signable,
  ): Authorization | Promise<Authorization> {
    let authorizer = this.#prepared.get(subscription);
    if (authorizer === undefined) {
      authorizer = this.#prepare(subscription);
      this.#prepared.set(subscription, authorizer);
    }
    return authorizer(input);
  }

  /** The receiver answered 401 to this authorization: with OAUTH2 the next attempt gets a new token, once. */
  rejected({ tenantId, auth }: AuthenticatedSubscription, authorization: Authorization): void {
    if (auth.type !== "OAUTH2" || !authorization.ok || authorization.token === undefined) return;
    this.#tokens.rejected(tenantId, auth, authorization.token);
  }

  #prepare({ url, auth, tenantId }: AuthenticatedSubscription): Authorizer {
    switch (auth.type) {
      case "NONE":
        return always({ ok: true, url, headers: {} });
      case "BASIC": {
        const credentials = Buffer.from(`${auth.username}:${auth.password}`, "utf8").toString("base64");
        return always({ ok: true, url, headers: { authorization: `Basic ${credentials}` } });
      }
      case "API_KEY": {
        const name = auth.name ?? API_KEY_DEFAULT;
        const value = `${auth.prefix ?? ""}${auth.value}`;
        if (auth.in !== "query") return always({ ok: true, url, headers: { [name.toLowerCase()]: value } });
        const pair = `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
        return always({ ok: true, url: `${url}${url.includes("?") ? "&" : "?"}${pair}`, headers: {} });
      }
      case "HMAC": {
        const signer = compileHmacForm(auth, [auth.secretKey]);
        return (input) => ({ ok: true, url, headers: signer(input) });
      }
      case "OAUTH2": {
        const authorization = (outcome: TokenOutcome): Authorization => {
          if (!outcome.ok) return { ok: false, code: "oauth_token_failed", message: outcome.message };
          const { token } = outcome;
          return { ok: true, url, headers: { authorization: `Bearer ${token}` }, token };
        };
        return () => {
          const outcome = this.#tokens.get(tenantId, auth);
          return outcome instanceof Promise ? outcome.then(authorization) : authorization(outcome);
        };
      }
    }
  }
}

function always(authorization: Authorization): Authorizer {
  return () => authorization;
}
