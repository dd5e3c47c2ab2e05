import { randomBytes } from "node:crypto";
import { generateRandomCodeVerifier, generateRandomState } from "oauth4webapi";
import type { Runtime } from "../../platform/runtime.ts";
import { systemContext } from "../context.ts";
import { HubError } from "../errors.ts";
import { loadIntegration } from "../integrations/load-integration.ts";
import type { LoadedIntegration } from "../integrations/loaded-integration.ts";
import type { OAuth2CodeAuth } from "../providers/auth-schema.ts";
import { withDefaults } from "../providers/choose-auth.ts";
import { fillHeader, TemplateError } from "../providers/fill-template.ts";
import type { Environment, ProviderManifest } from "../providers/manifest-schema.ts";
import { matchesHost } from "../providers/host-pattern.ts";
import { serversOf } from "../providers/resolve-server.ts";
import { authorizationUrl } from "./authorization-url.ts";
import {
  bindSession,
  findSession,
  hashOf,
  openSession,
  type OAuthSession,
  sealSession,
} from "./session-store.ts";
import { judgeRefusal } from "./judge-token-answer.ts";
import { exchangeToken, TOKEN_TIMEOUT_MS } from "./token-exchange.ts";

/** Why a person in a browser does not get on. */
export type LoginRefusal =
  /** No such ticket or state. */
  | "unknown"
  | "expired"
  | "used"
  /** Another browser than the one in which it began. */
  | "wrong_browser"
  /** The person, or the provider, said no. */
  | "denied"
  /** The provider or its configuration does not work; `detail` says how. */
  | "failed";

export type OpenedLogin =
  | {
      ok: true;
      /** The provider's log-in. */
      location: string;
      sessionId: string;
      /** Goes into a cookie of this browser. */
      browserSecret: string;
      expiresAt: Date;
    }
  | { ok: false; refusal: LoginRefusal; detail?: string };

/** A ticket, a state or a cookie: 256 bits. */
const SECRET = /^[\w-]{43}$/;

/**
 * Opens a log-in in the browser that brings its ticket, once: state and PKCE verifier are made, and the browser is bound by
 * a secret that its cookie holds. The same browser may open it again.
 *
 * @param input.cookieOf reads this browser's cookie of a log-in
 */
export async function openLogin(
  runtime: Runtime,
  input: { ticket: string; requestId: string; cookieOf(sessionId: string): string | undefined },
): Promise<OpenedLogin> {
  if (!SECRET.test(input.ticket)) return { ok: false, refusal: "unknown" };
  const session = await findSession(runtime.sqlSystem, { ticketHash: hashOf(input.ticket) });
  if (session === undefined) return { ok: false, refusal: "unknown" };
  const now = new Date(runtime.clock.nowMs());
  if (session.usedAt !== null) return { ok: false, refusal: "used" };
  if (session.expiresAt <= now) return { ok: false, refusal: "expired" };
  const found = await integrationOf(runtime, session, input.requestId);
  if (found === undefined) return { ok: false, refusal: "unknown" };
  const { integration, auth } = found;
  const presented = input.cookieOf(session.id);
  const { oneTime } = await openSession(runtime, runtime.sqlSystem, session);
  const [state, verifier] = [generateRandomState(), generateRandomCodeVerifier()];
  const browserSecret = randomBytes(32).toString("base64url");
  const place = { id: session.id, tenantId: session.tenantId };
  const isBound = await bindSession(runtime.sqlSystem, {
    id: session.id,
    presentedHash: presented === undefined ? undefined : hashOf(presented),
    browserHash: hashOf(browserSecret),
    stateHash: hashOf(state),
    verifierSealed: await sealSession(runtime, runtime.sqlSystem, place, { verifier, oneTime }),
    now,
  });
  if (!isBound) return { ok: false, refusal: presented === undefined ? "used" : "wrong_browser" };
  try {
    const made = await authorizationUrl(integration, auth, { ...session, state, verifier, oneTime });
    if (!made.ok) return { ok: false, refusal: "failed", detail: made.message };
    const location = await passedOn(runtime, integration, auth, {
      url: made.url,
      requestId: input.requestId,
    });
    if (location === undefined)
      return {
        ok: false,
        refusal: "failed",
        detail: "The provider's log-in page did not answer as expected",
      };
    return { ok: true, location, sessionId: session.id, browserSecret, expiresAt: session.expiresAt };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { ok: false, refusal: "failed", detail: error.message };
  }
}

/** The integration of a log-in; undefined when it is deleted, or nobody logs in with it any more. */
export async function integrationOf(
  runtime: Runtime,
  session: Pick<OAuthSession, "tenantId" | "integrationId">,
  requestId: string,
): Promise<{ integration: LoadedIntegration; auth: OAuth2CodeAuth } | undefined> {
  const ctx = systemContext(runtime, session.tenantId, "oauth", requestId);
  try {
    const integration = await loadIntegration(ctx, session.integrationId);
    return integration.auth.type === "OAUTH2_CODE" ? { integration, auth: integration.auth } : undefined;
  } catch (error) {
    if (error instanceof HubError && error.code === "not_found") return undefined;
    throw error;
  }
}

/**
 * A log-in page that is refused without certain headers is asked for by the hub, and the browser gets its redirect, if it
 * stays with the provider.
 */
async function passedOn(
  runtime: Runtime,
  { manifest, environment, config, id, tenantId }: LoadedIntegration,
  auth: OAuth2CodeAuth,
  { url, requestId }: { url: string; requestId: string },
): Promise<string | undefined> {
  if (auth.authorize.headers === undefined) return url;
  const values = withDefaults(manifest, config);
  const headers = Object.entries(auth.authorize.headers).map(([name, text]) => [
    name,
    fillHeader(text, values),
  ]);
  const request = {
    method: "GET",
    url,
    headers: Object.fromEntries(headers) as Record<string, string>,
  };
  const owner = { integrationId: id, tenantId, correlationId: requestId };
  const { outcome, conclude } = await exchangeToken(
    runtime,
    owner,
    { ok: true, request, secrets: [] },
    { deadlineMs: performance.now() + TOKEN_TIMEOUT_MS, mayStart: () => true },
  );
  const isRedirect = !("kind" in outcome) && outcome.status >= 300 && outcome.status < 400;
  conclude("kind" in outcome ? outcome : isRedirect ? undefined : judgeRefusal(outcome).fault);
  const target = isRedirect ? outcome.location : null;
  if (target === null || !URL.canParse(target, url)) return undefined;
  const { protocol, hostname, href } = new URL(target, url);
  if (protocol !== new URL(url).protocol) return undefined;
  return isProvidersHost(manifest, environment, { host: hostname, own: new URL(url).hostname })
    ? href
    : undefined;
}

/** The page itself, a host beside it (api.acme.example → login.acme.example), or one that the manifest lists. */
function isProvidersHost(
  manifest: ProviderManifest,
  environment: Environment,
  { host, own }: { host: string; own: string },
): boolean {
  const parent = own.slice(own.indexOf(".") + 1);
  if (host === own || (parent.includes(".") && (host === parent || host.endsWith(`.${parent}`)))) return true;
  return serversOf(manifest, environment)
    .flatMap((server) => [...server.allowedHosts, ...(server.sharedHosts ?? [])])
    .some((pattern) => !pattern.includes("{") && matchesHost(pattern, host));
}
