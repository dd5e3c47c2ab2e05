import type { Auth } from "./auth-schema.ts";
import { type Values, valueOf } from "./fill-template.ts";
import type { ProviderManifest } from "./manifest-schema.ts";

/** The specification's names for kinds of log-in, and TOKEN_REQUEST for what is none of them (DAT). */
export type AuthKind = "API_KEY" | "OAUTH2" | "BASIC" | "NONE" | "TOKEN_REQUEST";

/**
 * How an integration proves itself: by the manifest's own log-in, or by the one that a field of it chooses.
 *
 * @param config the integration's fields; those that are missing have their defaults
 */
export function chooseAuth(manifest: ProviderManifest, config: Values): Auth {
  const values = withDefaults(manifest, config);
  const chosen = manifest.otherAuth?.find(({ when }) => valueOf(values, when.field) === when.equals);
  return chosen?.auth ?? manifest.auth;
}

/** A kind of log-in as lists show it (`auth_type` of the specification). */
export function authKindOf(auth: Auth): AuthKind {
  if (auth.type.startsWith("OAUTH2_")) return "OAUTH2";
  return auth.type === "BEARER" ? "API_KEY" : (auth.type as AuthKind);
}

/** The fields of an integration, and the manifest's defaults for those that are missing. */
export function withDefaults(manifest: ProviderManifest, config: Values): Values {
  const defaults = manifest.fields
    .filter((field) => field.default !== undefined)
    .map((field) => [field.name, field.default!] as const);
  const given = Object.entries(config).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  return { ...Object.fromEntries(defaults), ...Object.fromEntries(given) };
}

/** Names in `urls` that a log-in uses: only these may lie on a host that all environments share. */
export function authServersOf(auth: Auth): string[] {
  switch (auth.type) {
    case "OAUTH2_CODE":
      return [auth.authorize.server, auth.token.server, ...tokenCallServers(auth.revoke, auth.introspect)];
    case "OAUTH2_CLIENT_CREDENTIALS":
      return [auth.token.server, ...tokenCallServers(auth.revoke)];
    case "OAUTH2_PASSWORD":
      return [auth.token.server];
    case "TOKEN_REQUEST":
      return auth.steps.map(({ request }) => request.server ?? "api");
    default:
      return [];
  }
}

function tokenCallServers(...calls: ({ request: { server?: string } } | undefined)[]): string[] {
  return calls.flatMap((call) => (call === undefined ? [] : [call.request.server ?? "api"]));
}
