import { RE2JS } from "re2js";
import type { AddressPolicy } from "../../platform/egress/address-policy.ts";
import { type FieldError, HubError } from "../errors.ts";
import { buildUrl } from "../providers/build-url.ts";
import { withDefaults } from "../providers/choose-auth.ts";
import { escapeToken, valueOf } from "../providers/fill-template.ts";
import type { Environment, InputField, ProviderManifest } from "../providers/manifest-schema.ts";
import { resolveServer } from "../providers/resolve-server.ts";
import { closestName } from "./closest-name.ts";

type OpenValue = string | number | boolean;

/** Fields of an integration by what is done with them. */
export interface ConfigParts {
  /** Stored as they are; those of kind `derived` among them. */
  open: Record<string, OpenValue>;
  /** Sealed. */
  secrets: Record<string, string>;
  /** Used while it is set up, and forgotten. */
  oneTime: Record<string, string>;
}

/** Longest value of a field whose manifest names no length. */
const LENGTH_MAX = 4_096;
const SECRET_LENGTH_MAX = 16_384;

/** What documentation and forms hold where a value belongs. */
const PLACEHOLDER =
  /^(?:<[^<>]*>|\{\{?[^{}]*\}?\}|\$\{[^{}]*\}|your[-_ ].*|(?:x{6,}|\*{4,}|\.{3}|•{4,})|changeme|replace[-_ ]?me|todo)$/i;

/**
 * Judges a configuration against the fields that the provider asks for, as it is to stand, and sorts it.
 *
 * @param given `config` of the request; null resets a field, one that is left out stays as it is stored
 * @param stored what is there already; its secrets only need to have their names
 * @returns the whole configuration with the changes in it; of `secrets` only the new ones, names to forget in `removed`
 * @throws HubError 422 `no_sandbox` when the provider has no server for the environment; 422 `invalid_input` with the
 * JSON pointer of each fault
 */
export function checkConfig(
  manifest: ProviderManifest,
  input: {
    environment: Environment;
    given: Readonly<Record<string, unknown>>;
    stored: { open: Readonly<Record<string, OpenValue>>; secretNames: readonly string[] };
    policy: AddressPolicy;
  },
): { parts: ConfigParts; removed: string[]; faults: FieldError[] } {
  const { given, stored, policy } = input;
  const fields = new Map(manifest.fields.map((field) => [field.name, field]));
  const faults: FieldError[] = unknownFields(manifest, given);
  const parts: ConfigParts = { open: { ...stored.open }, secrets: {}, oneTime: {} };
  const removed: string[] = [];
  for (const [name, value] of Object.entries(given)) {
    const field = fields.get(name);
    if (field === undefined) continue;
    const path = pathOf(name);
    if (field.kind === "derived") {
      if (value !== stored.open[name])
        faults.push({ path, message: "is read-only: the hub finds it out by itself" });
      continue;
    }
    if (value === null) {
      delete parts.open[name];
      if (stored.secretNames.includes(name)) removed.push(name);
      continue;
    }
    const fault = valueFault(field, value, policy);
    if (fault !== undefined) faults.push({ path, message: fault });
    else if (field.kind === "secret") parts.secrets[name] = String(value);
    else if (field.kind === "one-time") parts.oneTime[name] = String(value);
    else parts.open[name] = value as OpenValue;
  }
  const secretNames = [
    ...stored.secretNames.filter((name) => !removed.includes(name)),
    ...Object.keys(parts.secrets),
  ];
  const faulty = new Set(faults.map(({ path }) => path));
  faults.push(...missingFields(manifest, parts, secretNames).filter(({ path }) => !faulty.has(path)));
  faults.push(
    ...serverFaults(manifest, input.environment, parts.open).filter(({ path }) => !faulty.has(path)),
  );
  return { parts, removed, faults: onePerPath(faults) };
}

function pathOf(name: string): string {
  return `/config/${escapeToken(name)}`;
}

function unknownFields(manifest: ProviderManifest, given: Readonly<Record<string, unknown>>): FieldError[] {
  const names = manifest.fields.filter(({ kind }) => kind !== "derived").map(({ name }) => name);
  const known = new Set(manifest.fields.map(({ name }) => name));
  return Object.keys(given)
    .filter((name) => !known.has(name))
    .map((name) => {
      const close = closestName(name, names);
      const hint =
        close === undefined ? `its fields are ${names.join(", ") || "none"}` : `did you mean "${close}"?`;
      return { path: pathOf(name), message: `is no field of ${manifest.code}; ${hint}` };
    });
}

/** What is wrong with a value; the value itself is never told, because it may be a secret. */
export function valueFault(field: InputField, value: unknown, policy: AddressPolicy): string | undefined {
  const isNumber = field.type === "integer";
  if (isNumber) return Number.isSafeInteger(value) ? enumFault(field, String(value)) : "must be an integer";
  if (field.type === "boolean") return typeof value === "boolean" ? undefined : "must be true or false";
  if (typeof value !== "string") return "must be a text";
  const limit = field.maxLength ?? (field.kind === "secret" ? SECRET_LENGTH_MAX : LENGTH_MAX);
  if (value.trim() === "") return "must not be empty";
  if (value.length > limit) return `must have at most ${limit} characters`;
  if (field.minLength !== undefined && value.length < field.minLength)
    return `must have at least ${field.minLength} characters`;
  if (value !== value.trim()) return "must not begin or end with a space or line break";
  if (PLACEHOLDER.test(value)) return "is a placeholder; give the value itself";
  // oxlint-disable-next-line no-control-regex -- only secrets of several lines, such as private keys, have line breaks
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(value)) return "must not hold control characters";
  return enumFault(field, value) ?? patternFault(field, value) ?? addressFault(field, value, policy);
}

function enumFault(field: InputField, value: string): string | undefined {
  if (field.enum === undefined || field.enum.includes(value)) return undefined;
  return `must be one of ${field.enum.join(", ")}`;
}

function patternFault(field: InputField, value: string): string | undefined {
  if (field.pattern === undefined) return undefined;
  if (RE2JS.compile(field.pattern).matches(value)) return undefined;
  const example = field.example === undefined ? "" : `, as in ${field.example}`;
  return `must match ${field.pattern}${example}`;
}

function addressFault(field: InputField, value: string, policy: AddressPolicy): string | undefined {
  if (field.type === "path") return pathFault(value);
  if (field.type !== "url" && field.type !== "host") return undefined;
  if (field.type === "host" && !/^[A-Za-z0-9.-]+(?::\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](?::\d{1,5})?$/.test(value))
    return "must be the name of a host";
  const target = policy.checkUrl(field.type === "host" ? `https://${value}` : value);
  return "code" in target ? `${target.code}: ${target.message}` : undefined;
}

/** A path is judged like that of a call, of which it will be a part. */
function pathFault(value: string): string | undefined {
  if (/[?#]/.test(value)) return "must not hold ? or #";
  const built = buildUrl("https://provider.invalid", value);
  return built.ok ? undefined : `${built.code}: ${built.message}`;
}

/** Needed fields without a value; a field that others hide is not asked for. */
function missingFields(
  manifest: ProviderManifest,
  parts: ConfigParts,
  secretNames: readonly string[],
): FieldError[] {
  const values = withDefaults(manifest, parts.open);
  return manifest.fields
    .filter(({ kind, required }) => required && kind !== "derived" && kind !== "one-time")
    .filter(({ visibleWhen }) => isVisible(visibleWhen, values))
    .filter(({ name }) => valueOf(values, name) === undefined && !secretNames.includes(name))
    .map(({ name, label }) => ({ path: pathOf(name), message: `is needed: ${label}` }));
}

function isVisible(when: InputField["visibleWhen"], values: ReturnType<typeof withDefaults>): boolean {
  if (when === undefined) return true;
  const value = valueOf(values, when.field);
  return value !== undefined && when.equals.includes(value);
}

/** Addresses have to be whole and on a listed host as soon as everything that they hold is known. */
function serverFaults(
  manifest: ProviderManifest,
  environment: Environment,
  config: Readonly<Record<string, OpenValue>>,
): FieldError[] {
  const server = resolveServer(manifest, { environment, config });
  if (server.ok) return [];
  if (server.code === "no_sandbox" || server.code === "no_production")
    throw new HubError("no_sandbox", server.message, {
      errors: [{ path: "/environment", message: server.message }],
    });
  const field = manifest.fields.find(({ name }) => name === server.field);
  // What the hub finds out by itself is not there yet.
  if (server.code === "missing_value" && field?.kind === "derived") return [];
  return [{ path: server.field === undefined ? "/config" : pathOf(server.field), message: server.message }];
}

function onePerPath(faults: readonly FieldError[]): FieldError[] {
  return [...new Map(faults.toReversed().map((fault) => [fault.path, fault])).values()].toReversed();
}
