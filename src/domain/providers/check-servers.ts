import type { FieldError } from "../errors.ts";
import { escapeToken, placeholdersOf } from "./fill-template.ts";
import { matchesHost, overlapHosts } from "./host-pattern.ts";
import type { ProviderManifest, Server } from "./manifest-schema.ts";

/** Addresses: that each lies on a host of its own environment, and that no host belongs to two of them. */
export function checkServers(manifest: ProviderManifest): FieldError[] {
  return [
    ...manifest.servers.flatMap((server, index) => checkServer(manifest, server, index)),
    ...checkApart(manifest),
    ...checkRegions(manifest),
  ];
}

function checkServer(manifest: ProviderManifest, server: Server, index: number): FieldError[] {
  const at = `/servers/${index}`;
  const shared = server.sharedHosts ?? [];
  const main = [
    { path: "/baseUrl", url: server.baseUrl },
    ...(server.fallbackBaseUrl === undefined
      ? []
      : [{ path: "/fallbackBaseUrl", url: server.fallbackBaseUrl }]),
  ];
  const named = Object.entries(server.urls ?? {}).map(([name, url]) => ({
    path: `/urls/${escapeToken(name)}`,
    url,
  }));
  const preset = Object.entries(server.defaults ?? {})
    .filter(([, url]) => URL.canParse(url))
    .map(([name, url]) => ({ path: `/defaults/${escapeToken(name)}`, url }));
  const faults = [
    ...main.map((place) => addressFault(manifest, place, server.allowedHosts)),
    ...[...named, ...preset].map((place) =>
      addressFault(manifest, place, [...server.allowedHosts, ...shared]),
    ),
    ...[...server.allowedHosts, ...shared].map((pattern, place) => hostFault(manifest, pattern, place)),
    ...Object.keys(server.defaults ?? {}).map((name) =>
      manifest.fields.some((field) => field.name === name && field.kind === "derived")
        ? undefined
        : { path: `/defaults/${escapeToken(name)}`, message: "is no derived field of this manifest" },
    ),
    ...shared.map((pattern, place) =>
      server.allowedHosts.some((host) => overlapHosts(host, pattern))
        ? { path: `/sharedHosts/${place}`, message: "stands in `allowedHosts` too" }
        : undefined,
    ),
  ];
  return faults.flatMap((fault) => (fault === undefined ? [] : [{ ...fault, path: at + fault.path }]));
}

const ADDRESS = /^(https?):\/\/([^/?#]+)(\/[^?#]*)?$/;

function addressFault(
  manifest: ProviderManifest,
  { path, url }: { path: string; url: string },
  allowed: readonly string[],
): FieldError | undefined {
  const fault = (message: string): FieldError => ({ path, message });
  const unknown = placeholdersOf(url).find((name) => !manifest.fields.some((field) => field.name === name));
  if (unknown !== undefined) return fault(`{${unknown}} is no field of this manifest`);
  const secret = manifest.fields.find(
    ({ name, kind }) => (kind === "secret" || kind === "one-time") && placeholdersOf(url).includes(name),
  );
  if (secret !== undefined) return fault(`{${secret.name}} is a secret, and addresses stand in logs`);
  // A field at the beginning is judged when it has a value.
  if (/^\{[a-z][A-Za-z0-9]*\}(?:\/[^?#]*)?$/.test(url)) return undefined;
  const match = ADDRESS.exec(url);
  if (match === null) return fault("must be https://host/path without a query, or begin with a {field}");
  const authority = match[2]!;
  if (authority.includes("@") || authority.includes("\\")) return fault("must not contain a user name");
  if (/(?:^|\/)\.{1,2}(?:\/|$)|\/\/|\\/.test(match[3] ?? "")) return fault("has an empty or a dot segment");
  if (placeholdersOf(authority).length > 0) return undefined;
  if (!URL.canParse(url)) return fault("has no valid host");
  return allowed.some((pattern) => matchesHost(pattern, new URL(url).hostname))
    ? undefined
    : fault("has a host that `allowedHosts` does not list");
}

/** A host may come from whoever sets the integration up; never from an answer or a redirect, which it is to judge. */
function hostFault(manifest: ProviderManifest, pattern: string, place: number): FieldError | undefined {
  const path = `/allowedHosts/${place}`;
  if (/^\*\.[^.]+$/.test(pattern)) return { path, message: "stands for a whole top-level domain" };
  const [name] = placeholdersOf(pattern);
  if (name === undefined) return undefined;
  const field = manifest.fields.find((candidate) => candidate.name === name);
  if (field?.kind !== "operator" && field?.kind !== "connection")
    return { path, message: `{${name}} must be a field of kind operator or connection` };
  return field.required || field.default !== undefined
    ? undefined
    : { path, message: `{${name}} must be required` };
}

/** A credential of one environment must not reach another one. TEST may run on the sandbox. */
function checkApart({ servers }: ProviderManifest): FieldError[] {
  const production = servers.filter(({ environment }) => environment === "PRODUCTION");
  return servers.flatMap((server, index) => {
    if (server.environment === "PRODUCTION") return [];
    return server.allowedHosts.flatMap((host, place) => {
      const isShared = production.some((other) =>
        [...other.allowedHosts, ...(other.sharedHosts ?? [])].some((pattern) => overlapHosts(pattern, host)),
      );
      return isShared
        ? [
            {
              path: `/servers/${index}/allowedHosts/${place}`,
              message: "is a host of PRODUCTION too: a sandbox credential would reach it",
            },
          ]
        : [];
    });
  });
}

function checkRegions({ servers, regionField, fields }: ProviderManifest): FieldError[] {
  const seen = new Set<string>();
  const doubled = servers.flatMap(({ environment, region }, index) => {
    const key = `${environment} ${region ?? ""}`;
    if (seen.has(key)) return [{ path: `/servers/${index}`, message: "environment and region stand twice" }];
    seen.add(key);
    return [];
  });
  const field = fields.find(({ name }) => name === regionField);
  if (regionField === undefined) {
    const odd = servers.findIndex(({ region }) => region !== undefined);
    return odd < 0
      ? doubled
      : [...doubled, { path: `/servers/${odd}/region`, message: "needs `regionField`" }];
  }
  if (field?.enum === undefined)
    return [...doubled, { path: "/regionField", message: "must name a field with an `enum`" }];
  return [
    ...doubled,
    ...servers.flatMap(({ region }, index) =>
      region !== undefined && field.enum!.includes(region)
        ? []
        : [{ path: `/servers/${index}/region`, message: `must be a value of the field "${regionField}"` }],
    ),
  ];
}
