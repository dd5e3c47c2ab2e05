import { authServersOf, chooseAuth, withDefaults } from "./choose-auth.ts";
import { fillTemplate, TemplateError, type Values, valueOf } from "./fill-template.ts";
import { fillUrl } from "./fill-url.ts";
import { matchesHost } from "./host-pattern.ts";
import type { Environment, ProviderManifest, Server } from "./manifest-schema.ts";

export type ServerFaultCode =
  | "no_sandbox"
  | "no_production"
  | "region_unknown"
  | "server_unknown"
  | "missing_value"
  | "value_invalid"
  | "host_not_allowed";

/** Where calls of an integration go, or why they go nowhere. */
export type ResolvedServer =
  | {
      ok: true;
      /** Without a slash at its end. */
      baseUrl: string;
      /** Same environment and region; undefined where the manifest names none. */
      fallbackBaseUrl: string | undefined;
    }
  | { ok: false; code: ServerFaultCode; field?: string; message: string };

/** Whose server is looked for. */
export interface ServerInput {
  environment: Environment;
  /** The integration's open fields, with those that were derived. */
  config: Values;
  /** Name in the server's `urls`; left out: the API itself. */
  name?: string | undefined;
}

/**
 * Finds the address of a server for one environment. There is no way from one environment to another: only the servers
 * of the integration's own one are looked at, and a host that they do not list is refused, whatever a token answer, a
 * redirect or the configuration says.
 */
export function resolveServer(manifest: ProviderManifest, input: ServerInput): ResolvedServer {
  const servers = serversOf(manifest, input.environment);
  if (servers.length === 0) return noServer(manifest, input.environment);
  const config = withDefaults(manifest, input.config);
  const server = ofRegion(manifest, servers, config);
  if (server === undefined) {
    return {
      ok: false,
      code: "region_unknown",
      field: manifest.regionField!,
      message: `The provider has no ${input.environment} server in this region`,
    };
  }
  const name = input.name ?? "api";
  const template = name === "api" ? server.baseUrl : server.urls?.[name];
  if (template === undefined)
    return { ok: false, code: "server_unknown", message: `The provider has no address "${name}"` };
  const values = { ...server.defaults, ...config };
  try {
    const shared = authServersOf(chooseAuth(manifest, config)).includes(name)
      ? (server.sharedHosts ?? [])
      : [];
    const allowed = allowedHosts([...server.allowedHosts, ...shared], values);
    const baseUrl = fillUrl(template, values);
    if (!isAllowed(baseUrl, allowed)) return notAllowed(baseUrl, input.environment);
    const fallback =
      name === "api" && server.fallbackBaseUrl !== undefined
        ? fillUrl(server.fallbackBaseUrl, values)
        : undefined;
    if (fallback !== undefined && !isAllowed(fallback, allowed))
      return notAllowed(fallback, input.environment);
    return { ok: true, baseUrl, fallbackBaseUrl: fallback };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { ok: false, code: error.code, field: error.field, message: error.message };
  }
}

/**
 * Whether a URL, for example the target of a redirect or a link of an answer, lies on a host that may see a credential
 * of this environment.
 */
export function mayCarryCredential(manifest: ProviderManifest, input: ServerInput, url: string): boolean {
  const config = withDefaults(manifest, input.config);
  const server = ofRegion(manifest, serversOf(manifest, input.environment), config);
  if (server === undefined) return false;
  try {
    return isAllowed(url, allowedHosts(server.allowedHosts, { ...server.defaults, ...config }));
  } catch {
    return false;
  }
}

/** TEST runs on the provider's sandbox where it has no test system of its own. */
export function serversOf(manifest: ProviderManifest, environment: Environment): readonly Server[] {
  const own = manifest.servers.filter((server) => server.environment === environment);
  if (own.length > 0 || environment !== "TEST") return own;
  return manifest.servers.filter((server) => server.environment === "SANDBOX");
}

function noServer(manifest: ProviderManifest, environment: Environment): ResolvedServer {
  return environment === "PRODUCTION"
    ? { ok: false, code: "no_production", message: `${manifest.name} has no production server` }
    : { ok: false, code: "no_sandbox", message: `${manifest.name} has no ${environment} server` };
}

function ofRegion(
  manifest: ProviderManifest,
  servers: readonly Server[],
  config: Values,
): Server | undefined {
  if (manifest.regionField === undefined) return servers[0];
  const region = valueOf(config, manifest.regionField);
  return servers.find((server) => server.region === region);
}

/** A field in the list stands for the host that it names, be it a host or a whole address. */
function allowedHosts(patterns: readonly string[], values: Values): string[] {
  return patterns.map((pattern) => {
    if (!pattern.startsWith("{")) return pattern;
    const value = fillTemplate(pattern, values);
    return URL.canParse(value) ? new URL(value).hostname : value.replace(/:\d+$/, "");
  });
}

function isAllowed(url: string, allowed: readonly string[]): boolean {
  const { protocol, hostname } = new URL(url);
  return (
    (protocol === "https:" || protocol === "http:") &&
    allowed.some((pattern) => matchesHost(pattern, hostname))
  );
}

function notAllowed(url: string, environment: Environment): ResolvedServer {
  return {
    ok: false,
    code: "host_not_allowed",
    message: `The host ${new URL(url).hostname} is none of this provider's ${environment} hosts`,
  };
}
