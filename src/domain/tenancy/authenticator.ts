import type { Runtime } from "../../platform/runtime.ts";
import type { Actor } from "../context.ts";
import { HubError } from "../errors.ts";
import { ApiKeyCache } from "./api-key-cache.ts";
import { provisionUser, type ProvisionedUser } from "./provision-user.ts";
import { scopesOf } from "./roles.ts";
import { readTokenClaims, type TokenIdentity } from "./token-claims.ts";
import type { ApiKeyCredential } from "./store.ts";
import { createTokenVerifier, type TokenVerifier } from "./token-verifier.ts";

/** Who calls, and for which tenant. */
export interface Principal {
  tenantId: string;
  actor: Actor;
}

/** Where a token's subject is at home is remembered this long; the token itself is verified each time. */
const USER_LIFETIME_MS = 60_000;
const USERS_MAX = 10_000;

const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/** Tells callers apart by their `Authorization` header (RFC 6750): an API key of the hub or a token of the Auth service. */
export class Authenticator {
  readonly #runtime: Runtime;
  readonly #keys: ApiKeyCache;
  readonly #verifyToken: TokenVerifier | undefined;
  /** What each remembered key may do. */
  readonly #principals = new WeakMap<ApiKeyCredential, Found>();
  readonly #users = new Map<string, { user: ProvisionedUser; expiresAtMs: number }>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#keys = new ApiKeyCache(runtime);
    this.#verifyToken = createTokenVerifier(runtime.config, () => runtime.clock.nowMs());
  }

  /**
   * @param authorization the header's value, null when absent
   * @throws HubError `unauthenticated` (401), one answer for all causes; `forbidden` (403) for a suspended tenant;
   * `unavailable` (503) when the credential cannot be checked at the moment
   */
  async authenticate(authorization: string | null, requestId: string): Promise<Principal> {
    const bearer = authorization === null ? undefined : BEARER.exec(authorization)?.[1];
    if (bearer === undefined) throw new HubError("unauthenticated");
    const found = bearer.startsWith("hub_")
      ? await this.#authenticateKey(bearer)
      : await this.#authenticateToken(bearer, requestId);
    if (found === undefined) throw new HubError("unauthenticated");
    if (found.tenantStatus === "SUSPENDED") throw new HubError("forbidden", "The tenant is suspended.");
    return found.principal;
  }

  /** The key of this prefix was revoked. */
  invalidateKey(prefix: string): void {
    this.#keys.invalidate(prefix);
  }

  /** Messages may have been lost: everything is read anew. */
  clear(): void {
    this.#keys.clear();
    this.#users.clear();
  }

  async #authenticateKey(key: string): Promise<Found | undefined> {
    const credential = await this.#lookUp(() => this.#keys.verify(key));
    if (credential === undefined) return undefined;
    let found = this.#principals.get(credential);
    if (found === undefined) {
      const { id, tenantId, tenantStatus, role, scopes } = credential;
      const actor = { type: "api_key", id, scopes: scopesOf(role, scopes) } as const;
      this.#principals.set(credential, (found = { tenantStatus, principal: { tenantId, actor } }));
    }
    return found;
  }

  async #authenticateToken(token: string, requestId: string): Promise<Found | undefined> {
    const claims = await this.#verifyToken?.(token);
    const identity = claims === undefined ? undefined : readTokenClaims(claims);
    if (identity === undefined) return undefined;
    const user = await this.#lookUp(() => this.#userOf(identity, requestId));
    if (user === undefined) return undefined;
    return {
      tenantStatus: user.tenantStatus,
      principal: {
        tenantId: user.tenantId,
        actor: { type: "user", id: user.userId, scopes: identity.scopes },
      },
    };
  }

  async #userOf(identity: TokenIdentity, requestId: string): Promise<ProvisionedUser | undefined> {
    const nowMs = this.#runtime.clock.nowMs();
    const name = JSON.stringify([identity.tenantId, identity.tenantSlug, identity.subject]);
    const known = this.#users.get(name);
    if (known !== undefined && known.expiresAtMs > nowMs) return known.user;
    const user = await provisionUser(this.#runtime, identity, requestId);
    if (user === undefined) return undefined;
    this.#users.delete(name);
    if (this.#users.size >= USERS_MAX) this.#users.delete(this.#users.keys().next().value!);
    this.#users.set(name, { user, expiresAtMs: nowMs + USER_LIFETIME_MS });
    return user;
  }

  /** A database that cannot be asked is no reason to call a good key bad. */
  async #lookUp<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof HubError) throw error;
      this.#runtime.log.error({ err: error }, "credentials cannot be checked");
      throw new HubError("unavailable", "Credentials cannot be checked at the moment.", {
        retryAfterSeconds: 2,
      });
    }
  }
}

interface Found {
  tenantStatus: "ACTIVE" | "SUSPENDED";
  principal: Principal;
}
