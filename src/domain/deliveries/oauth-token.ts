import {
  allowInsecureRequests,
  type AuthorizationServer,
  type Client,
  clientCredentialsGrantRequest,
  ClientSecretBasic,
  ClientSecretPost,
  customFetch,
  processClientCredentialsResponse,
  ResponseBodyError,
} from "oauth4webapi";
import type { EgressResult } from "../../platform/egress/exchange.ts";
import type { Sender } from "../../platform/egress/send.ts";
import type { SubscriptionAuth } from "../subscriptions/auth-config.ts";

export type OAuth2Settings = Extract<SubscriptionAuth, { type: "OAUTH2" }>;

/** A token, or why there is none; the message names no secret. */
export type TokenOutcome = { ok: true; token: string } | { ok: false; message: string };

/** Time for the token endpoint. */
const TOKEN_TIMEOUT_MS = 10_000;
const TOKEN_BYTES_MAX = 64 * 1024;
/** A token is replaced this long before it expires, or after nine tenths of its time when that is later. */
const REFRESH_EARLY_MS = 60_000;
/** Lifetime where the server names none (RFC 6749 section 5.1 recommends that it does). */
const LIFETIME_DEFAULT_MS = 300_000;
const LIFETIME_MAX_MS = 24 * 3_600_000;
/** Tokens younger than this are not the reason of a 401: asking again would only repeat it. */
const REJECT_AGE_MS = 5_000;
/** After a failure the token endpoint is left alone for so long. */
const FAILED_MS = 2_000;
const TOKENS_MAX = 10_000;

interface Cached {
  outcome: TokenOutcome;
  fetchedAtMs: number;
  refreshAtMs: number;
}

/**
 * Access tokens by client credentials (RFC 6749 section 4.4), kept in memory only: one request at a time for each set
 * of credentials, replaced before they expire.
 */
export class OAuthTokens {
  readonly #sender: Sender;
  readonly #nowMs: () => number;
  readonly #cached = new Map<string, Cached>();
  readonly #pending = new Map<string, Promise<TokenOutcome>>();

  constructor(deps: { sender: Sender; nowMs(): number }) {
    this.#sender = deps.sender;
    this.#nowMs = deps.nowMs;
  }

  /**
   * The token of these credentials, at once where it is known. Never rejects.
   *
   * @param owner tenant: credentials of two tenants are never shared, not even equal ones
   */
  get(owner: string, settings: OAuth2Settings): TokenOutcome | Promise<TokenOutcome> {
    const key = keyOf(owner, settings);
    const cached = this.#cached.get(key);
    if (cached && this.#nowMs() < cached.refreshAtMs) return cached.outcome;
    let pending = this.#pending.get(key);
    if (pending === undefined) {
      pending = this.#fetch(settings).then((outcome) => {
        this.#pending.delete(key);
        return outcome;
      });
      this.#pending.set(key, pending);
      void pending.then((outcome) => this.#remember(key, outcome));
    }
    return pending;
  }

  /** The receiver answered 401 to this token: the next attempt fetches a new one, once. */
  rejected(owner: string, settings: OAuth2Settings, token: string): void {
    const key = keyOf(owner, settings);
    const cached = this.#cached.get(key);
    if (!cached?.outcome.ok || cached.outcome.token !== token) return;
    if (this.#nowMs() - cached.fetchedAtMs >= REJECT_AGE_MS) this.#cached.delete(key);
  }

  #remember(key: string, outcome: TokenOutcome & { lifetimeMs?: number }): void {
    const nowMs = this.#nowMs();
    const lifetimeMs = Math.min(LIFETIME_MAX_MS, outcome.lifetimeMs ?? LIFETIME_DEFAULT_MS);
    const early = Math.min(REFRESH_EARLY_MS, lifetimeMs / 10);
    if (this.#cached.size >= TOKENS_MAX) this.#cached.clear();
    this.#cached.set(key, {
      outcome,
      fetchedAtMs: nowMs,
      refreshAtMs: nowMs + (outcome.ok ? lifetimeMs - early : FAILED_MS),
    });
  }

  async #fetch(settings: OAuth2Settings): Promise<TokenOutcome & { lifetimeMs?: number }> {
    const server: AuthorizationServer = { issuer: settings.tokenUrl, token_endpoint: settings.tokenUrl };
    const client: Client = { client_id: settings.clientId };
    const proof = settings.clientAuthentication === "post" ? ClientSecretPost : ClientSecretBasic;
    const parameters: Record<string, string> = {};
    if (settings.scope !== undefined) parameters["scope"] = settings.scope;
    if (settings.audience !== undefined) parameters["audience"] = settings.audience;
    try {
      const response = await clientCredentialsGrantRequest(
        server,
        client,
        proof(settings.clientSecret),
        parameters,
        {
          // Whether plain http may be called is the sender's decision, as for every other address.
          [allowInsecureRequests]: true,
          [customFetch]: (url, { method, headers, body }) =>
            this.#post(url, method, headers, body.toString()),
        },
      );
      const answer = await processClientCredentialsResponse(server, client, response);
      if (!/^[!-~]+$/.test(answer.access_token))
        return failed("The token has characters that no header takes");
      return {
        ok: true,
        token: answer.access_token,
        ...(answer.expires_in === undefined ? {} : { lifetimeMs: answer.expires_in * 1000 }),
      };
    } catch (error) {
      if (error instanceof ResponseBodyError) return failed(`The token endpoint answered ${error.error}`);
      return failed((error as Error).message);
    }
  }

  async #post(url: string, method: string, headers: Record<string, string>, body: string): Promise<Response> {
    const result = await this.#sender.send({
      key: `oauth ${url}`,
      url,
      policy: "public",
      method,
      headers,
      body,
      timeoutMs: TOKEN_TIMEOUT_MS,
      responseBytesMax: TOKEN_BYTES_MAX,
      repeatable: true,
    });
    if (result.kind !== "response") throw new Error(`No token: ${reasonOf(result)}`);
    return conforming(result.status, result.body);
  }
}

/**
 * What a token endpoint answered, as the library wants it: servers leave out `token_type`, call JSON text/plain, or answer
 * with a form, as before RFC 6749, and their tokens are none the worse.
 *
 * @throws Error that tells what is wrong with an answer that is neither tokens nor an OAuth error
 */
function conforming(status: number, body: Uint8Array): Response {
  const text = new TextDecoder().decode(body);
  const document = documentOf(text);
  const error = document?.["error"];
  // Free text may hold anything, the secret too: only what looks like a code of OAuth is told.
  if (typeof error === "string" && /^[\w.-]{1,60}$/.test(error))
    return Response.json({ error }, { status: status < 400 ? 400 : status });
  if (status < 200 || status > 299) throw new Error(`The token endpoint answered ${status}`);
  const token = document?.["access_token"];
  if (typeof token !== "string" || token === "")
    throw new Error(`The token endpoint answered ${status} without an access token`);
  const seconds = Number(document?.["expires_in"] ?? 0);
  return Response.json({
    access_token: token,
    token_type: document?.["token_type"] ?? "Bearer",
    ...(seconds > 0 && Number.isFinite(seconds) ? { expires_in: seconds } : {}),
  });
}

function documentOf(text: string): Record<string, unknown> | undefined {
  try {
    const document = JSON.parse(text) as unknown;
    return typeof document === "object" && document !== null
      ? (document as Record<string, unknown>)
      : undefined;
  } catch {
    return /^[\w.-]+=/.test(text) ? Object.fromEntries(new URLSearchParams(text)) : undefined;
  }
}

function reasonOf(result: Exclude<EgressResult, { kind: "response" }>): string {
  return result.kind === "withheld" ? "not sent" : result.message;
}

function failed(message: string): TokenOutcome {
  return { ok: false, message };
}

function keyOf(owner: string, settings: OAuth2Settings): string {
  const { tokenUrl, clientId, clientSecret, scope, audience, clientAuthentication } = settings;
  return JSON.stringify([owner, tokenUrl, clientId, clientSecret, scope, audience, clientAuthentication]);
}
