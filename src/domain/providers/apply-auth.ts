import { isSendableName } from "../../platform/egress/request-head.ts";
import type { Auth, Placement } from "./auth-schema.ts";
import {
  fillHeader,
  fillTemplate,
  placeholdersOf,
  TemplateError,
  type Values,
  valueOf,
} from "./fill-template.ts";
import type { ProviderManifest } from "./manifest-schema.ts";

/** What a call is given so that the provider knows who makes it. */
export interface AuthAdditions {
  headers: Record<string, string>;
  query: Record<string, string>;
  /** Members of the JSON object, or fields of the form, that the call sends. */
  body: Record<string, string>;
  /** Every secret that stands in them, in each form in which it does: what no log may hold. */
  secrets: string[];
}

/** Values that no field holds and that are secrets wherever they stand. */
const TOKEN_NAMES: ReadonlySet<string> = new Set([
  "accessToken",
  "refreshToken",
  "token",
  "code",
  "codeVerifier",
]);

/**
 * Makes what a log-in adds to a call. It is added last, so that nothing of the caller or of the manifest's headers can
 * stand in for it.
 *
 * @param values fields and secrets of the integration, and `accessToken` where the log-in is made of tokens
 * @throws TemplateError for a value that is missing or cannot stand in its place
 */
export function applyAuth(manifest: ProviderManifest, auth: Auth, values: Values): AuthAdditions {
  const additions: AuthAdditions = { headers: {}, query: {}, body: {}, secrets: [] };
  for (const placement of placementsOf(auth)) {
    const value =
      placement.in === "header" ? fillHeader(placement.value, values) : fillTemplate(placement.value, values);
    if (value === "") continue;
    const place = placement.in === "header" ? "headers" : placement.in;
    additions[place][nameOf(placement, values)] = value;
    additions.secrets.push(...secretsIn(manifest, auth, placement.value, values));
  }
  if (auth.type === "BASIC") addBasic(manifest, auth, values, additions);
  additions.secrets = [...new Set(additions.secrets)];
  return additions;
}

/**
 * The secrets among the values that a template uses.
 *
 * @returns their texts
 */
export function secretsIn(
  manifest: ProviderManifest,
  auth: Auth,
  template: string,
  values: Values,
): string[] {
  const captured =
    auth.type === "TOKEN_REQUEST" ? auth.steps.flatMap(({ capture }) => Object.keys(capture)) : [];
  return placeholdersOf(template)
    .filter((name) => {
      const kind = manifest.fields.find((field) => field.name === name)?.kind;
      if (kind !== undefined) return kind === "secret" || kind === "one-time";
      return TOKEN_NAMES.has(name) || captured.includes(name);
    })
    .map((name) => valueOf(values, name))
    .filter((value) => value !== undefined);
}

function nameOf(placement: Placement, values: Values): string {
  const name = fillTemplate(placement.name, values);
  if (placement.in === "header" && !isSendableName(name)) {
    const field = placeholdersOf(placement.name)[0] ?? "";
    throw new TemplateError(
      "value_invalid",
      field,
      `The header that the field "${field}" names cannot be set`,
    );
  }
  return name;
}

function placementsOf(auth: Auth): readonly Placement[] {
  switch (auth.type) {
    case "NONE":
    case "BASIC":
      return [];
    case "BEARER":
      return [{ in: "header", name: "Authorization", value: `${auth.prefix ?? "Bearer"} ${auth.token}` }];
    default:
      return auth.place;
  }
}

/** RFC 7617: UTF-8, and no colon in the user name, because the first one ends it. */
function addBasic(
  manifest: ProviderManifest,
  auth: Extract<Auth, { type: "BASIC" }>,
  values: Values,
  additions: AuthAdditions,
): void {
  const username = fillTemplate(auth.username, values);
  const password = fillTemplate(auth.password, values);
  const field = placeholdersOf(auth.username)[0] ?? "";
  if (username.includes(":"))
    throw new TemplateError("value_invalid", field, "A user name cannot hold a colon (RFC 7617)");
  const encoded = Buffer.from(`${username}:${password}`).toString("base64");
  additions.headers["Authorization"] = `Basic ${encoded}`;
  additions.secrets.push(encoded, ...secretsIn(manifest, auth, auth.username + auth.password, values));
}
