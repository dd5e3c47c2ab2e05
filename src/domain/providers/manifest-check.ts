import { RE2JS } from "re2js";
import { isSendableName } from "../../platform/egress/request-head.ts";
import type { FieldError } from "../errors.ts";
import { checkAuth } from "./check-auth.ts";
import { checkServers } from "./check-servers.ts";
import { checkTemplates } from "./check-templates.ts";
import { type InputField, ProviderManifest } from "./manifest-schema.ts";
import { schemaFaults } from "../schema-faults.ts";

/** Bytes of one manifest as JSON. */
export const MANIFEST_BYTES_MAX = 256 * 1024;

/**
 * Judges a manifest: its form, and whether its parts fit each other.
 *
 * @returns every fault with its JSON pointer; none when it can be used. What parts say of each other is only judged once
 * the form is right
 */
export function checkManifest(input: unknown): FieldError[] {
  if (Buffer.byteLength(JSON.stringify(input) ?? "") > MANIFEST_BYTES_MAX)
    return [{ path: "", message: `must be at most ${MANIFEST_BYTES_MAX} bytes` }];
  const faults = schemaFaults(ProviderManifest, input);
  if (faults.length > 0) return faults;
  const manifest = input as ProviderManifest;
  return [
    ...checkFields(manifest),
    ...checkServers(manifest),
    ...checkAuth(manifest),
    ...checkTemplates(manifest),
    ...checkVerify(manifest),
    ...checkLimits(manifest),
    ...checkAnswers(manifest),
  ];
}

/** @throws Error that names the manifest and the place of each fault */
export function assertManifests(manifests: readonly unknown[]): void {
  const lines = manifests.flatMap((manifest) => {
    const code = String((manifest as { code?: unknown } | null)?.code ?? "without a code");
    return checkManifest(manifest).map(({ path, message }) => `manifest ${code}, ${path || "/"}: ${message}`);
  });
  if (lines.length > 0) throw new Error(`Cannot use the provider manifests:\n${lines.join("\n")}`);
}

function checkFields(manifest: ProviderManifest): FieldError[] {
  const names = manifest.fields.map(({ name }) => name);
  return manifest.fields.flatMap((field, index) => {
    const at = `/fields/${index}`;
    const faults: FieldError[] = [];
    const fault = (path: string, message: string): void => void faults.push({ path: at + path, message });
    if (names.indexOf(field.name) !== index) fault("/name", "stands twice");
    if (RESERVED_NAMES.has(field.name)) fault("/name", "is a name that the hub gives itself");
    if (field.kind === "secret" || field.kind === "one-time") {
      if (field.default !== undefined)
        fault("/default", "a secret has no default: manifests hold no secrets");
      if (field.enum !== undefined) fault("/enum", "a secret is not chosen from a list");
    }
    if ((field.kind === "derived") !== (field.from !== undefined) && field.kind !== "connection")
      fault("/from", field.kind === "derived" ? "is missing" : "only derived and connection fields have it");
    if (field.visibleWhen !== undefined && !names.includes(field.visibleWhen.field))
      fault("/visibleWhen/field", "is no field of this manifest");
    if (field.visibleWhen?.field === field.name) fault("/visibleWhen/field", "is the field itself");
    faults.push(...checkValues(field, at));
    return faults;
  });
}

/** Placeholders that stand for what a step brings along. */
const RESERVED_NAMES: ReadonlySet<string> = new Set([
  "accessToken",
  "refreshToken",
  "token",
  "code",
  "codeVerifier",
  "redirectUri",
  "state",
  "overrides",
]);

/** Settings that mean nothing for a type. */
const UNSUITED = {
  integer: ["pattern", "minLength", "maxLength"],
  boolean: ["pattern", "minLength", "maxLength", "enum"],
} as const;

function checkValues(field: InputField, at: string): FieldError[] {
  const faults: FieldError[] = [];
  const unsuited = field.type === "integer" || field.type === "boolean" ? UNSUITED[field.type] : [];
  for (const name of unsuited.filter((setting) => field[setting] !== undefined))
    faults.push({ path: `${at}/${name}`, message: `is not for fields of type ${field.type}` });
  field.enum?.forEach((value, index, values) => {
    const path = `${at}/enum/${index}`;
    if (values.indexOf(value) !== index) faults.push({ path, message: "stands twice" });
    if (field.type === "integer" && !/^-?\d{1,15}$/.test(value))
      faults.push({ path, message: "must be an integer" });
  });
  const { pattern, default: preset } = field;
  if (pattern !== undefined && !isPattern(pattern))
    faults.push({ path: `${at}/pattern`, message: "is no regular expression of RE2" });
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY } = field;
  if (minLength > maxLength) faults.push({ path: `${at}/minLength`, message: "must not exceed `maxLength`" });
  if (preset === undefined) return faults;
  const wanted = field.type === "integer" ? "number" : field.type === "boolean" ? "boolean" : "string";
  if (typeof preset !== wanted)
    faults.push({ path: `${at}/default`, message: `must be of type ${field.type}` });
  else if (field.enum !== undefined && !field.enum.includes(String(preset)))
    faults.push({ path: `${at}/default`, message: "must be one of `enum`" });
  else if (pattern !== undefined && isPattern(pattern) && !RE2JS.matches(pattern, String(preset)))
    faults.push({ path: `${at}/default`, message: "must match `pattern`" });
  return faults;
}

function isPattern(pattern: string): boolean {
  try {
    RE2JS.compile(pattern);
    return true;
  } catch {
    return false;
  }
}

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD"]);

function checkVerify({ verify, auth, fields }: ProviderManifest): FieldError[] {
  const faults: FieldError[] = [];
  const { request } = verify;
  if (request === null) {
    if (auth.type === "NONE" || auth.type === "API_KEY" || auth.type === "BASIC" || auth.type === "BEARER")
      faults.push({ path: "/verify/request", message: "only a log-in that gets a token needs none" });
  } else if (!SAFE_METHODS.has(request.method) && request.isReadOnly !== true) {
    faults.push({
      path: "/verify/request/method",
      message: "must be GET or HEAD, or the request be marked `isReadOnly`: it is repeated every few minutes",
    });
  }
  verify.blame?.forEach((entry, index) =>
    entry.fields.forEach((name, place) => {
      if (!fields.some((field) => field.name === name))
        faults.push({
          path: `/verify/blame/${index}/fields/${place}`,
          message: "is no field of this manifest",
        });
    }),
  );
  return faults;
}

function checkLimits({ quotas, rateHeaders }: ProviderManifest): FieldError[] {
  const names = quotas.map(({ name }) => name);
  const faults: FieldError[] = [];
  const fault = (path: string, message: string): void => void faults.push({ path, message });
  quotas.forEach(({ name, paths = [], weights = [] }, index) => {
    const at = `/quotas/${index}`;
    if (names.indexOf(name) !== index) fault(`${at}/name`, "stands twice");
    const patterns: [string, string][] = [
      ...paths.map((path, place): [string, string] => [`${at}/paths/${place}`, path]),
      ...weights.map(({ path }, place): [string, string] => [`${at}/weights/${place}/path`, path]),
    ];
    for (const [place, pattern] of patterns)
      if (pattern.slice(0, -2).includes("**")) fault(place, "has ** before its end");
  });
  rateHeaders.forEach((rule, index) => {
    const at = `/rateHeaders/${index}`;
    const quota = quotas.find(({ name }) => name === rule.quota);
    if (quota === undefined) fault(`${at}/quota`, "is no quota of this manifest");
    else if (quota.windowSeconds === undefined)
      fault(`${at}/quota`, "is a limit of calls at once, which no header corrects");
    if ((rule.limit ?? rule.remaining ?? rule.reset ?? rule.used) === undefined) fault(at, "names no header");
  });
  return faults;
}

/** What answers mean, and who an inbound webhook belongs to. */
function checkAnswers(manifest: ProviderManifest): FieldError[] {
  const { classification, idempotency, webhooks, fields, auth, otherAuth = [] } = manifest;
  const faults: FieldError[] = [];
  const fault = (path: string, message: string): void => void faults.push({ path, message });
  const getsToken = [auth, ...otherAuth.map((other) => other.auth)].some(
    ({ type }) => type.startsWith("OAUTH2_") || type === "TOKEN_REQUEST",
  );
  classification.forEach((rule, index) => {
    const at = `/classification/${index}`;
    if ((rule.status ?? rule.header ?? rule.body) === undefined)
      fault(at, "needs status, header or body: it would fit every answer");
    if (rule.action === "refresh_then_retry" && !getsToken)
      fault(`${at}/action`, "needs a log-in that gets a token");
  });
  const account = webhooks?.routing.account?.field;
  if (account !== undefined && !fields.some(({ name }) => name === account))
    fault("/webhooks/routing/account/field", "is no field of this manifest");
  if (idempotency?.in === "header" && !isSendableName(idempotency.name))
    fault("/idempotency/name", "is no header that may be set");
  return faults;
}
