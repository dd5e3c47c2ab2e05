import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type KoaContextWithOIDC, Provider } from "oidc-provider";
import type { ProviderManifest } from "../../src/domain/providers/manifest-schema.ts";
import { keyManifest } from "../integrations/test-provider.ts";

export const CLIENT_ID = "hub-of-the-test";
export const CLIENT_SECRET = "client-secret-of-the-test-4711";

/** One request to the token endpoint, as it went. */
export interface TokenCall {
  grantType: string;
  status: number;
  /** The server had no answer yet, or none arrived. */
  atMs: number;
}

/** A real OAuth server with an API behind it. */
export interface OAuthServer {
  url: string;
  provider: Provider;
  tokenCalls: TokenCall[];
  refreshes(): number;
  /** Runs after the server decided and before its answer leaves. */
  beforeAnswer: ((ctx: KoaContextWithOIDC) => Promise<void>) | undefined;
  /** Runs before the server sees a request to the token endpoint; true: it answered itself. */
  instead: ((ctx: KoaContextWithOIDC) => boolean | Promise<boolean>) | undefined;
  /** Query parameters that it adds to its redirect, as some providers do. */
  redirectExtras: Record<string, string>;
  /** What `/api/accounts` lists to who has a token. */
  accounts: { id: string; name: string }[];
  stop(): Promise<void>;
}

/**
 * Starts oidc-provider on loopback, with PKCE demanded and refresh tokens that rotate with every use.
 *
 * @param options.redirectUri of the hub
 */
export async function startOAuthServer(options: {
  redirectUri: string;
  rotates?: boolean;
  accessSeconds?: number;
  clientSecret?: string;
}): Promise<OAuthServer> {
  const listener: Server = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const provider = new Provider(url, {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: options.clientSecret ?? CLIENT_SECRET,
        redirect_uris: [options.redirectUri],
        grant_types: ["authorization_code", "refresh_token", "client_credentials"],
        response_types: ["code"],
        token_endpoint_auth_method: "client_secret_basic",
      },
    ],
    pkce: { required: () => true },
    scopes: ["openid", "offline_access", "orders"],
    features: {
      devInteractions: { enabled: true },
      revocation: { enabled: true },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
    },
    cookies: { keys: ["a key of the test"] },
    rotateRefreshToken: options.rotates ?? true,
    issueRefreshToken: async () => true,
    ttl: {
      AccessToken: options.accessSeconds ?? 3_600,
      ClientCredentials: options.accessSeconds ?? 3_600,
      AuthorizationCode: 60,
      RefreshToken: 86_400,
      Interaction: 600,
      Session: 600,
      Grant: 86_400,
      IdToken: 600,
    },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: async () => ({ sub }) }),
  });
  const server: OAuthServer = {
    url,
    provider,
    tokenCalls: [],
    refreshes: () => server.tokenCalls.filter(({ grantType }) => grantType === "refresh_token").length,
    beforeAnswer: undefined,
    instead: undefined,
    redirectExtras: {},
    accounts: [],
    stop: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        listener.closeAllConnections();
      }),
  };
  provider.use(async (ctx, next) => {
    if (ctx.path.startsWith("/api/")) return answerApi(provider, ctx as KoaContextWithOIDC, server.accounts);
    if (ctx.path === "/token" && (await server.instead?.(ctx as KoaContextWithOIDC)) === true)
      return undefined;
    await next();
    if (ctx.path === "/token") {
      const grantType = String((ctx as KoaContextWithOIDC).oidc?.params?.["grant_type"] ?? "");
      server.tokenCalls.push({ grantType, status: ctx.status, atMs: Date.now() });
      await server.beforeAnswer?.(ctx as KoaContextWithOIDC);
    }
    const location = ctx.response.get("location");
    if (ctx.status === 303 && location.startsWith(options.redirectUri)) {
      const target = new URL(location);
      for (const [name, value] of Object.entries(server.redirectExtras)) target.searchParams.set(name, value);
      ctx.set("location", target.href);
    }
    return undefined;
  });
  listener.on("request", provider.callback());
  return server;
}

async function answerApi(
  provider: Provider,
  ctx: KoaContextWithOIDC,
  accounts: OAuthServer["accounts"],
): Promise<void> {
  const [, token] = /^Bearer (.+)$/.exec(ctx.get("authorization")) ?? [];
  const access =
    token === undefined
      ? undefined
      : ((await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token)));
  ctx.status = access === undefined ? 401 : 200;
  const account = { name: "Acme <Freight>", realm: "r-1", asked: ctx.get("x-account") || null };
  const known: Record<string, unknown> = {
    "/api/accounts": accounts,
    // Says again what it was sent, as some do for debugging.
    "/api/echo": { headers: ctx.headers, text: `seen ${ctx.get("authorization")}`, token },
  };
  ctx.body = access === undefined ? { error: "unknown token" } : (known[ctx.path] ?? { account });
}

/** The server as a provider of the hub. */
export function oauthManifest(
  { url }: { url: string },
  more: { refresh?: object; auth?: object } & Partial<Omit<ProviderManifest, "auth">> = {},
): ProviderManifest {
  const { refresh, auth, ...rest } = more;
  return keyManifest(url, {
    fields: [
      { name: "clientId", label: "Id", kind: "operator", type: "string", required: true },
      { name: "clientSecret", label: "Secret", kind: "secret", type: "string", required: true },
      { name: "loginHint", label: "Hint", kind: "one-time", type: "string", required: false },
      {
        name: "realmId",
        label: "Company",
        kind: "derived",
        type: "string",
        required: false,
        pattern: "\\d{10,19}",
        from: { redirect: "realmId" },
      },
      {
        name: "accountRealm",
        label: "Realm",
        kind: "derived",
        type: "string",
        required: false,
        from: {
          request: { method: "GET", path: "/me" },
          pointer: "/account/realm",
        },
      },
    ],
    servers: [
      {
        environment: "PRODUCTION",
        baseUrl: `${url}/api`,
        urls: {
          authorize: `${url}/auth`,
          token: `${url}/token`,
          revoke: `${url}/token/revocation`,
          introspect: `${url}/token/introspection`,
        },
        allowedHosts: ["127.0.0.1"],
      },
    ],
    auth: {
      type: "OAUTH2_CODE",
      authorize: {
        server: "authorize",
        params: { prompt: "consent", login_hint: "[[{loginHint}]]" },
        pkce: "S256",
        capture: { realmId: "realmId" },
      },
      scopes: { default: ["openid", "offline_access"], optional: ["orders"] },
      token: {
        server: "token",
        clientAuth: "basic",
        answer: {
          accessToken: "/access_token",
          refreshToken: "/refresh_token",
          expires: { pointer: "/expires_in", format: "delta_s" },
        },
      },
      refresh: {
        rotation: "every_use",
        defaultLifeSeconds: 3_600,
        finalErrors: [{ pointer: "/error", values: ["invalid_grant"] }],
        ...refresh,
      },
      revoke: {
        request: {
          method: "POST",
          server: "revoke",
          path: "",
          body: { type: "form", fields: { token: "{token}" } },
        },
        clientAuth: "basic",
        token: "refresh",
      },
      place: [{ in: "header", name: "Authorization", value: "Bearer {accessToken}" }],
      ...auth,
    } as ProviderManifest["auth"],
    verify: {
      request: { method: "GET", path: "/me" },
      expect: { status: [200], present: ["/account"] },
      accountName: "/account/name",
    },
    ...rest,
  });
}
