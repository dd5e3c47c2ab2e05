import { isSendableName } from "../../platform/egress/request-head.ts";
import type { FieldError } from "../errors.ts";
import type { Auth, Placement } from "./auth-schema.ts";
import { authServersOf } from "./choose-auth.ts";
import { placeholdersOf } from "./fill-template.ts";
import type { ProviderManifest } from "./manifest-schema.ts";

/** Log-ins: that their addresses exist in every environment, and that what they place is a credential. */
export function checkAuth(manifest: ProviderManifest): FieldError[] {
  const others = manifest.otherAuth ?? [];
  return [
    ...checkOne(manifest, manifest.auth, "/auth"),
    ...others.flatMap(({ when, auth }, index) => {
      const field = manifest.fields.find(({ name }) => name === when.field);
      const isValue = field?.enum?.includes(when.equals) === true;
      return [
        ...(isValue
          ? []
          : [{ path: `/otherAuth/${index}/when`, message: "must name a field and a value of its `enum`" }]),
        ...checkOne(manifest, auth, `/otherAuth/${index}/auth`),
      ];
    }),
  ];
}

function checkOne(manifest: ProviderManifest, auth: Auth, at: string): FieldError[] {
  return [
    ...missingServers(manifest, auth, at),
    ...checkPlaces(manifest, auth, at),
    ...checkClient(manifest, auth, at),
    ...checkCaptures(manifest, auth, at),
  ];
}

function missingServers(manifest: ProviderManifest, auth: Auth, at: string): FieldError[] {
  return [...new Set(authServersOf(auth))].flatMap((name) =>
    name === "api" || manifest.servers.every(({ urls }) => urls !== undefined && Object.hasOwn(urls, name))
      ? []
      : [{ path: at, message: `uses the address "${name}", which not every server has in \`urls\`` }],
  );
}

/** What can stand in a header (RFC 9110 section 5.5). */
const HEADER_TEXT = /^[\t\x20-\x7e]*$/;

/** Where the credential goes, and that it is one: a manifest holds no secret itself. */
function checkPlaces(manifest: ProviderManifest, auth: Auth, at: string): FieldError[] {
  const secrets = new Set(manifest.fields.filter(({ kind }) => kind === "secret").map(({ name }) => name));
  const getsToken = auth.type.startsWith("OAUTH2_") || auth.type === "TOKEN_REQUEST";
  const isCredential = (template: string): boolean =>
    placeholdersOf(template).some((name) => (getsToken ? name === "accessToken" : secrets.has(name)));
  const needed = getsToken ? "must hold {accessToken}" : "must hold a field of kind secret";
  const fault = (path: string): FieldError => ({ path: at + path, message: needed });
  if (auth.type === "NONE") return [];
  if (auth.type === "BEARER") {
    if (!HEADER_TEXT.test(auth.token)) return [{ path: `${at}/token`, message: "must be printable ASCII" }];
    return isCredential(auth.token) ? [] : [fault("/token")];
  }
  if (auth.type === "BASIC") return isCredential(auth.username + auth.password) ? [] : [fault("/password")];
  const spots = auth.place.map(
    (place) => `${place.in} ${place.in === "header" ? place.name.toLowerCase() : place.name}`,
  );
  const faults = auth.place.flatMap((place, index) => [
    ...nameFault(manifest, place, `${at}/place/${index}`),
    ...(spots.indexOf(spots[index]!) === index
      ? []
      : [{ path: `${at}/place/${index}/name`, message: "stands twice" }]),
    ...(place.in !== "header" || HEADER_TEXT.test(place.value)
      ? []
      : [{ path: `${at}/place/${index}/value`, message: "must be printable ASCII" }]),
  ]);
  if (!auth.place.some(({ value }) => isCredential(value))) faults.push(fault("/place"));
  if (auth.type === "OAUTH2_PASSWORD" && !placeholdersOf(auth.password).some((name) => secrets.has(name)))
    faults.push({ path: `${at}/password`, message: "must hold a field of kind secret" });
  return faults;
}

function nameFault(manifest: ProviderManifest, place: Placement, path: string): FieldError[] {
  const unknown = placeholdersOf(place.name).find(
    (name) => !manifest.fields.some((field) => field.name === name),
  );
  if (unknown !== undefined)
    return [{ path: `${path}/name`, message: `{${unknown}} is no field of this manifest` }];
  const isHeader = place.in === "header" && placeholdersOf(place.name).length === 0;
  if (!isHeader) return [];
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(place.name))
    return [{ path: `${path}/name`, message: "is no name of a header" }];
  return isSendableName(place.name)
    ? []
    : [{ path: `${path}/name`, message: "is a header that only the hub itself sets" }];
}

function checkClient(manifest: ProviderManifest, auth: Auth, at: string): FieldError[] {
  if (!("token" in auth) || auth.type === "BEARER") return [];
  const kindOf = (name: string) => manifest.fields.find((field) => field.name === name)?.kind;
  const faults: FieldError[] = [];
  if (kindOf("clientId") === undefined) faults.push({ path: at, message: 'needs a field "clientId"' });
  if (auth.token.clientAuth !== "none" && kindOf("clientSecret") !== "secret")
    faults.push({ path: at, message: 'needs a field "clientSecret" of kind secret' });
  return faults;
}

/** What is captured goes into derived fields; a log-in in steps may name its own values besides. */
function checkCaptures(manifest: ProviderManifest, auth: Auth, at: string): FieldError[] {
  const derived = new Set(manifest.fields.filter(({ kind }) => kind === "derived").map(({ name }) => name));
  const captures: [string, readonly string[]][] = [];
  if (auth.type === "OAUTH2_CODE")
    captures.push(["/authorize/capture", Object.keys(auth.authorize.capture ?? {})]);
  if ("token" in auth && auth.type !== "BEARER")
    captures.push(["/token/answer/capture", Object.keys(auth.token.answer.capture ?? {})]);
  const faults = captures.flatMap(([path, names]) =>
    names
      .filter((name) => !derived.has(name))
      .map((name) => ({ path: `${at}${path}/${name}`, message: "is no derived field of this manifest" })),
  );
  if (auth.type === "TOKEN_REQUEST") {
    const last = auth.steps.at(-1)!;
    if (!Object.hasOwn(last.capture, "accessToken"))
      faults.push({ path: `${at}/steps/${auth.steps.length - 1}/capture`, message: "must hold accessToken" });
  }
  return faults;
}
