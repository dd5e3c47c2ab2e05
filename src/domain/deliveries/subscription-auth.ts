import { senderOf } from "../../platform/egress/runtime-sender.ts";
import type { Sender } from "../../platform/egress/send.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { CompiledSubscription } from "../subscriptions/compiled-subscription.ts";
import { OAuthTokens, type TokenOutcome } from "./oauth-token.ts";
import { compileHmacForm } from "./signature-forms.ts";

/** What authentication needs of a subscription. */
export type AuthenticatedSubscription = Pick<CompiledSubscription, "tenantId" | "url" | "auth">;

/**
 * What authentication adds to one attempt. `url` holds the key of an API_KEY in the query, so it is for the wire and
 * not for a log. `token` is the one that OAUTH2 used.
 */
export interface Authorization {
  url: string;
  headers: Readonly<Record<string, string>>;
  token?: string;
}

/** There is no authorization: the attempt fails. The message names no secret. */
export class AuthorizationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "AuthorizationError";
  }
}

type Authorizer = (body: Uint8Array) => Authorization | Promise<Authorization>;

const API_KEY_DEFAULT = "x-api-key";

/** Adds what `authType` asks for, on top of the signature that every delivery has. */
class SubscriptionAuthorizer {
  readonly #tokens: OAuthTokens;
  readonly #nowMs: () => number;
  /** Prepared once for each state of a subscription: its object is replaced when its settings change. */
  readonly #prepared = new WeakMap<AuthenticatedSubscription, Authorizer>();

  constructor(deps: { sender: Sender; nowMs(): number }) {
    this.#tokens = new OAuthTokens(deps);
    this.#nowMs = deps.nowMs;
  }

  authorize(
    subscription: AuthenticatedSubscription,
    body: Uint8Array,
  ): Authorization | Promise<Authorization> {
    let authorizer = this.#prepared.get(subscription);
    if (authorizer === undefined) {
      authorizer = this.#prepare(subscription);
      this.#prepared.set(subscription, authorizer);
    }
    return authorizer(body);
  }

  rejected({ tenantId, auth }: AuthenticatedSubscription, token: string): void {
    if (auth.type === "OAUTH2") this.#tokens.rejected(tenantId, auth, token);
  }

  #prepare({ url, auth, tenantId }: AuthenticatedSubscription): Authorizer {
    switch (auth.type) {
      case "NONE":
        return always({ url, headers: {} });
      case "BASIC": {
        const credentials = Buffer.from(`${auth.username}:${auth.password}`, "utf8").toString("base64");
        return always({ url, headers: { authorization: `Basic ${credentials}` } });
      }
      case "API_KEY": {
        const name = auth.name ?? API_KEY_DEFAULT;
        const value = `${auth.prefix ?? ""}${auth.value}`;
        if (auth.in !== "query") return always({ url, headers: { [name.toLowerCase()]: value } });
        const pair = `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
        return always({ ok: true, url: `${url}${url.includes("?") ? "&" : "?"}${pair}`, headers: {} });
      }
      case "HMAC": {
        const signer = compileHmacForm(auth, [auth.secretKey]);
        return (body) => {
          const timestampSeconds = Math.floor(this.#nowMs() / 1000);
          return { url, headers: signer({ id: "", timestampSeconds, body }) };
        };
      }
      case "OAUTH2": {
        const authorization = (outcome: TokenOutcome): Authorization => {
          if (!outcome.ok) throw new AuthorizationError(outcome.message);
          const { token } = outcome;
          return { url, headers: { authorization: `Bearer ${token}` }, token };
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

const authorizers = new WeakMap<Runtime, SubscriptionAuthorizer>();

function authorizerOf(runtime: Runtime): SubscriptionAuthorizer {
  let authorizer = authorizers.get(runtime);
  if (authorizer === undefined) {
    authorizer = new SubscriptionAuthorizer({
      sender: senderOf(runtime),
      nowMs: () => runtime.clock.nowMs(),
    });
    authorizers.set(runtime, authorizer);
  }
  return authorizer;
}

/**
 * Authorizes one attempt, at once unless a token must be fetched first.
 *
 * @returns the address to call and the headers to add, names in lower case
 * @throws AuthorizationError (also as a rejection) when no token is to be had: a failed attempt
 */
export function authHeaders(
  runtime: Runtime,
  subscription: AuthenticatedSubscription,
  input: { body: Uint8Array | string },
): Authorization | Promise<Authorization> {
  const { body } = input;
  return authorizerOf(runtime).authorize(subscription, typeof body === "string" ? Buffer.from(body) : body);
}

/** The receiver answered 401 to this authorization: with OAUTH2 the next attempt gets a new token, once. */
export function rejectAuthorization(
  runtime: Runtime,
  subscription: AuthenticatedSubscription,
  authorization: Authorization,
): void {
  const { token } = authorization;
  if (token !== undefined) authorizerOf(runtime).rejected(subscription, token);
}
