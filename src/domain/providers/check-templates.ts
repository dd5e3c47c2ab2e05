import { isSendableName } from "../../platform/egress/request-head.ts";
import type { FieldError } from "../errors.ts";
import type { Auth } from "./auth-schema.ts";
import { buildUrl } from "./build-url.ts";
import { escapeToken, placeholdersOf, textsIn } from "./fill-template.ts";
import type { ProviderManifest } from "./manifest-schema.ts";
import type { RequestTemplate } from "./request-schema.ts";

/** Names of headers, parameters and members in which a fixed text would be a secret. */
const SECRET_NAME = /authorization|cookie|token|secret|passw|api[-_]?key|credential/i;
/** Members whose name sounds like it and whose fixed values are public. */
const PUBLIC_NAME = /^(?:token_type|token_type_hint|access_type|grant_type|response_type)$/i;

/** What a run that moves records brings along. */
const OBJECT_VALUES = ["accessToken", "id", "since", "until", "cursor"];

interface Place {
  at: string;
  request: RequestTemplate;
  /** Placeholders besides the fields. */
  extra: readonly string[];
}

/** Every template: that what it asks for exists, that its header can be sent, and that it holds no secret itself. */
export function checkTemplates(manifest: ProviderManifest): FieldError[] {
  const fields = manifest.fields.map(({ name }) => name);
  const entries = (
    at: string,
    map: Readonly<Record<string, string>> | undefined,
    isHeader: boolean,
    extra: readonly string[],
  ) =>
    Object.entries(map ?? {}).flatMap(([name, text]) =>
      entryFaults({ at: `${at}/${escapeToken(name)}`, name, text, isHeader, known: [...fields, ...extra] }),
    );
  const known = [...fields, "accessToken"];
  return [
    ...entries("/headers", manifest.headers, true, ["accessToken"]),
    ...entries("/query", manifest.query, false, ["accessToken"]),
    ...requestsOf(manifest).flatMap(({ at, request, extra }) => [
      ...requestFaults(manifest, request, at),
      ...entries(`${at}/headers`, request.headers, true, extra),
      ...entries(`${at}/query`, request.query, false, extra),
      ...bodyFaults(request, at, [...fields, ...extra]),
      ...unknownFaults(request.path, `${at}/path`, [...fields, ...extra]),
    ]),
    ...authHeaders(manifest).flatMap(({ at, headers }) => entries(at, headers, true, [])),
    ...authTexts(manifest.auth, "/auth").flatMap(({ at, text }) => unknownFaults(text, at, known)),
    ...(manifest.otherAuth ?? []).flatMap(({ auth }, index) =>
      authTexts(auth, `/otherAuth/${index}/auth`).flatMap(({ at, text }) => unknownFaults(text, at, known)),
    ),
  ];
}

function unknownFaults(text: string, at: string, known: readonly string[]): FieldError[] {
  return placeholdersOf(text)
    .filter((name) => !known.includes(name))
    .map((name) => ({ path: at, message: `{${name}} is no field of this manifest` }));
}

function entryFaults(entry: {
  at: string;
  name: string;
  text: string;
  isHeader: boolean;
  known: readonly string[];
}): FieldError[] {
  const faults = unknownFaults(entry.text, entry.at, entry.known);
  if (entry.isHeader && !isSendableName(entry.name))
    faults.push({ path: entry.at, message: "is a header that only the hub itself sets" });
  if (entry.isHeader && !/^[\t\x20-\x7e]*$/.test(entry.text))
    faults.push({ path: entry.at, message: "must be printable ASCII" });
  if (isFixedSecret(entry.name, entry.text))
    faults.push({ path: entry.at, message: "must not hold a secret: use a field of kind secret" });
  return faults;
}

function isFixedSecret(name: string, text: string): boolean {
  return (
    text !== "" && placeholdersOf(text).length === 0 && SECRET_NAME.test(name) && !PUBLIC_NAME.test(name)
  );
}

function bodyFaults({ body }: RequestTemplate, at: string, known: readonly string[]): FieldError[] {
  if (body === undefined) return [];
  const root = body.type === "json" ? body.value : body.type === "form" ? body.fields : body.text;
  const member = { json: "value", form: "fields", text: "text", xml: "text" }[body.type];
  return textsIn(root).flatMap(({ text, at: pointer }) => {
    const path = `${at}/body/${member}${pointer}`;
    const name = pointer.slice(pointer.lastIndexOf("/") + 1);
    const fixed = pointer !== "" && isFixedSecret(name, text);
    return [
      ...unknownFaults(text, path, known),
      ...(fixed ? [{ path, message: "must not hold a secret: use a field of kind secret" }] : []),
    ];
  });
}

function requestFaults(manifest: ProviderManifest, request: RequestTemplate, at: string): FieldError[] {
  const { server, path, method, body } = request;
  const faults: FieldError[] = [];
  const isMissing =
    server !== undefined &&
    server !== "api" &&
    !manifest.servers.every(({ urls }) => urls !== undefined && Object.hasOwn(urls, server));
  if (isMissing)
    faults.push({ path: `${at}/server`, message: "is no address that every server has in `urls`" });
  const plain = path.replaceAll(/\[\[|\]\]|\{[a-z][A-Za-z0-9]*\}/g, "x");
  const built = plain.includes("?") ? undefined : buildUrl("https://host", plain);
  if (built === undefined) faults.push({ path: `${at}/path`, message: "holds a query; use `query`" });
  else if (!built.ok) faults.push({ path: `${at}/path`, message: built.message });
  if (body !== undefined && (method === "GET" || method === "HEAD"))
    faults.push({ path: `${at}/body`, message: `${method} has no body` });
  return faults;
}

/** Every request of a manifest with the names that its step brings along. */
function requestsOf(manifest: ProviderManifest): Place[] {
  const places: Place[] = [];
  const add = (
    at: string,
    request: RequestTemplate | undefined | null,
    extra: readonly string[] = ["accessToken"],
  ) => {
    if (request !== undefined && request !== null) places.push({ at, request, extra });
  };
  add("/verify/request", manifest.verify.request);
  manifest.fields.forEach((field, index) => {
    if (field.from !== undefined && "request" in field.from)
      add(`/fields/${index}/from/request`, field.from.request);
    add(`/fields/${index}/options/request`, field.options?.request);
  });
  for (const [name, object] of Object.entries(manifest.objects ?? {})) {
    const at = `/objects/${name}`;
    add(`${at}/read/request`, object.read?.request, OBJECT_VALUES);
    add(`${at}/read/get`, object.read?.get, OBJECT_VALUES);
    for (const verb of ["create", "update", "upsert", "delete"] as const)
      add(`${at}/write/${verb}/request`, object.write?.[verb]?.request, OBJECT_VALUES);
    if (object.deletions?.strategy === "endpoint")
      add(`${at}/deletions/request`, object.deletions.request, OBJECT_VALUES);
  }
  addAuth(manifest.auth, "/auth", add);
  manifest.otherAuth?.forEach(({ auth }, index) => addAuth(auth, `/otherAuth/${index}/auth`, add));
  add("/webhooks/subscribe", manifest.webhooks?.subscribe, ["accessToken", "webhookUrl", "webhookSecret"]);
  add("/webhooks/unsubscribe", manifest.webhooks?.unsubscribe, ["accessToken", "webhookId"]);
  return places;
}

function addAuth(
  auth: Auth,
  at: string,
  add: (at: string, request: RequestTemplate | undefined, extra?: readonly string[]) => void,
): void {
  if (auth.type === "TOKEN_REQUEST") {
    auth.steps.forEach(({ request }, index) => {
      const earlier = auth.steps.slice(0, index).flatMap(({ capture }) => Object.keys(capture));
      add(`${at}/steps/${index}/request`, request, earlier);
    });
  }
  if ("revoke" in auth) add(`${at}/revoke/request`, auth.revoke?.request, ["token"]);
  if ("introspect" in auth) add(`${at}/introspect/request`, auth.introspect?.request, ["token"]);
}

/** Headers of a log-in's own pages and endpoints. */
function authHeaders({
  auth,
  otherAuth = [],
}: ProviderManifest): { at: string; headers: Readonly<Record<string, string>> | undefined }[] {
  const all = [
    { at: "/auth", auth },
    ...otherAuth.map((other, index) => ({ at: `/otherAuth/${index}/auth`, auth: other.auth })),
  ];
  return all.flatMap(({ at, auth: one }) => [
    ...("token" in one && one.type !== "BEARER"
      ? [{ at: `${at}/token/headers`, headers: one.token.headers }]
      : []),
    ...(one.type === "OAUTH2_CODE"
      ? [{ at: `${at}/authorize/headers`, headers: one.authorize.headers }]
      : []),
  ]);
}

/** Templates of a log-in outside of its requests. */
function authTexts(auth: Auth, at: string): { at: string; text: string }[] {
  const of = (path: string, value: unknown) =>
    textsIn(value ?? null).map(({ text, at: pointer }) => ({ text, at: at + path + pointer }));
  switch (auth.type) {
    case "NONE":
      return [];
    case "BASIC":
      return [...of("/username", auth.username), ...of("/password", auth.password)];
    case "BEARER":
      return of("/token", auth.token);
    case "API_KEY":
    case "TOKEN_REQUEST":
      return of("/place", auth.place);
    default:
      return [
        ...of("/place", auth.place),
        ...of("/token/params", auth.token.params),
        ...of("/token/query", auth.token.query),
        ...(auth.type === "OAUTH2_CODE" ? of("/authorize/params", auth.authorize.params) : []),
        ...(auth.type === "OAUTH2_PASSWORD"
          ? [...of("/username", auth.username), ...of("/password", auth.password)]
          : []),
      ];
  }
}
