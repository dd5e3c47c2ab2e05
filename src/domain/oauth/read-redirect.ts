import { AuthorizationResponseError, validateAuthResponse } from "oauth4webapi";
import type { OAuth2CodeAuth } from "../providers/auth-schema.ts";
import type { Environment, ProviderManifest } from "../providers/manifest-schema.ts";
import { resolveServer } from "../providers/resolve-server.ts";
import type { Values } from "../providers/fill-template.ts";

/** What a provider's redirect brought. */
export type Redirect =
  | { ok: true; code: string; /** Values of derived fields. */ derived: Record<string, string> }
  | { ok: false; isDenied: boolean; message: string };

/**
 * Reads the parameters of a redirect whose state was recognised (RFC 6749 section 4.1.2, RFC 9207): each may stand once, and
 * an issuer that names itself has to be the one that was asked.
 */
export function readRedirect(
  integration: { manifest: ProviderManifest; environment: Environment; config: Values },
  auth: OAuth2CodeAuth,
  query: URLSearchParams,
): Redirect {
  const issuer = query.get("iss") ?? "https://issuer.invalid";
  if (query.has("iss") && !isAskedIssuer(integration, auth, issuer))
    return {
      ok: false,
      isDenied: false,
      message: "The answer names another provider than the one that was asked",
    };
  const names = [...query.keys()];
  if (new Set(names).size < names.length)
    return { ok: false, isDenied: false, message: "The answer of the provider is malformed" };
  const state = query.get("state") ?? "";
  try {
    const checked = validateAuthResponse({ issuer }, { client_id: "hub" }, query, state);
    const code = checked.get("code");
    if (code === null || code === "")
      return { ok: false, isDenied: false, message: "The provider sent the browser back without a code" };
    return { ok: true, code, derived: capturedOf(integration.manifest, auth, checked) };
  } catch (error) {
    if (!(error instanceof AuthorizationResponseError))
      return { ok: false, isDenied: false, message: "The answer of the provider is malformed" };
    const isDenied = error.error === "access_denied";
    const known = /^[\w.-]{1,60}$/.test(error.error) ? error.error : "error";
    return { ok: false, isDenied, message: `The provider answered: ${known}` };
  }
}

/** Without the provider's metadata its issuer is known by its host alone: that of its log-in or token endpoint. */
function isAskedIssuer(
  { manifest, environment, config }: { manifest: ProviderManifest; environment: Environment; config: Values },
  auth: OAuth2CodeAuth,
  issuer: string,
): boolean {
  if (!URL.canParse(issuer)) return false;
  const { host } = new URL(issuer);
  return [auth.authorize.server, auth.token.server].some((name) => {
    const server = resolveServer(manifest, { environment, config, name });
    return server.ok && new URL(server.baseUrl).host === host;
  });
}

function capturedOf(
  manifest: ProviderManifest,
  auth: OAuth2CodeAuth,
  query: URLSearchParams,
): Record<string, string> {
  const wanted: Record<string, string> = { ...auth.authorize.capture };
  for (const { name, from } of manifest.fields) {
    if (from !== undefined && "redirect" in from) wanted[name] = from.redirect;
  }
  const found = Object.entries(wanted).map(([field, parameter]) => [field, query.get(parameter)] as const);
  return Object.fromEntries(found.filter((entry): entry is [string, string] => Boolean(entry[1])));
}
