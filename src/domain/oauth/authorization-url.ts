import { calculatePKCECodeChallenge } from "oauth4webapi";
import { withDefaults } from "../providers/choose-auth.ts";
import type { OAuth2CodeAuth } from "../providers/auth-schema.ts";
import { fillTemplate } from "../providers/fill-template.ts";
import type { LoadedIntegration } from "../integrations/loaded-integration.ts";
import { withQuery } from "../providers/request-template.ts";
import { resolveServer } from "../providers/resolve-server.ts";

/**
 * The address of the provider's log-in (RFC 6749 section 4.1.1, RFC 7636 section 4.3).
 *
 * @throws TemplateError when a field that it needs has no value
 */
export async function authorizationUrl(
  integration: Pick<LoadedIntegration, "manifest" | "environment" | "config">,
  auth: OAuth2CodeAuth,
  login: {
    redirectUri: string;
    scopes: readonly string[];
    state: string;
    verifier: string;
    oneTime: Readonly<Record<string, string>>;
  },
): Promise<{ ok: true; url: string } | { ok: false; message: string }> {
  const { manifest, environment, config } = integration;
  const server = resolveServer(manifest, { environment, config, name: auth.authorize.server });
  if (!server.ok) return { ok: false, message: server.message };
  const values = { ...withDefaults(manifest, config), ...login.oneTime };
  const own = Object.entries(auth.authorize.params ?? {})
    .map(([name, template]) => [name, fillTemplate(template, values)] as const)
    .filter(([, value]) => value !== "");
  const scope = login.scopes.join(auth.scopes.separator ?? " ");
  const challenge =
    auth.authorize.pkce === "S256"
      ? {
          code_challenge: await calculatePKCECodeChallenge(login.verifier),
          code_challenge_method: "S256",
        }
      : {};
  const url = withQuery(server.baseUrl, {
    ...Object.fromEntries(own),
    response_type: "code",
    client_id: fillTemplate("{clientId}", values),
    redirect_uri: login.redirectUri,
    ...(scope === "" ? {} : { scope }),
    state: login.state,
    ...challenge,
  });
  return { ok: true, url };
}
