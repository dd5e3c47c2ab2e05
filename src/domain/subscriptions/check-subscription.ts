import { addressPolicyOf } from "../../platform/egress/address-policy.ts";
import { isSendableName } from "../../platform/egress/request-head.ts";
import type { Context } from "../context.ts";
import { type FieldError, invalidInput } from "../errors.ts";
import { readEventPattern } from "../events/event-type.ts";
import { schemaFaults } from "../schema-faults.ts";
import { checkTemplate } from "../transformations/check-template.ts";
import { AUTH_CONFIGS } from "./auth-config.ts";
import { compileFilter } from "./event-filter.ts";
import type { SubscriptionValues } from "./store.ts";

/** What is judged: the subscription as it is to be stored, its authentication still open. */
export type CheckedSubscription = Pick<
  SubscriptionValues,
  | "url"
  | "eventTypes"
  | "filter"
  | "authType"
  | "authConfig"
  | "headers"
  | "transformTemplate"
  | "signatureForm"
>;

const HEADERS_MAX = 30;
/** Printable ASCII: what a header value can carry without being changed on the way. */
const HEADER_TEXT = /^(?:[!-~](?:[ -~]*[!-~])?)?$/;
/** Headers that the hub writes itself, and those whose place is `authConfig`, because headers are shown to readers. */
const OWN_HEADER = /^(?:content-type|content-encoding|webhook-.*|hub-.*|traceparent|tracestate)$/;
const SECRET_HEADER = /^(?:authorization|cookie|x-api-key|x-auth-token|api-key)$/;

/**
 * Judges a subscription as a whole, so that what is saved also works: address, patterns, filter, headers,
 * authentication, template and signature.
 *
 * @returns every fault with its path
 */
export async function checkSubscription(
  ctx: Context,
  subscription: CheckedSubscription,
): Promise<FieldError[]> {
  const { filter, transformTemplate } = subscription;
  const compiled = filter === null ? undefined : compileFilter(filter);
  return [
    ...addressFaults(ctx, "/url", subscription.url),
    ...patternFaults(subscription.eventTypes),
    ...(compiled === undefined || compiled.ok ? [] : compiled.errors),
    ...headerFaults(subscription.headers),
    ...authFaults(ctx, subscription),
    ...signatureFaults(subscription.signatureForm),
    ...clashFaults(subscription),
    ...(transformTemplate === null
      ? []
      : await checkTemplate(ctx, transformTemplate, { sourceFormat: "JSON" })),
  ];
}

/** Patterns as they are stored: dotted, in lower case, each once. Those that are none stay, to be told as faults. */
export function storedPatterns(given: readonly string[]): string[] {
  return [...new Set(given.map((pattern) => readEventPattern(pattern) ?? pattern))];
}

/**
 * Custom headers as they are stored: names in lower case.
 *
 * @throws HubError 422 for one name in two spellings, of which only one could be sent
 */
export function storedHeaders(given: Readonly<Record<string, string>>): Record<string, string> {
  const stored = new Map<string, string>();
  for (const [name, value] of Object.entries(given)) {
    const lower = name.toLowerCase();
    if (stored.has(lower))
      throw invalidInput([{ path: `/headers/${pointerToken(name)}`, message: "is there in two spellings" }]);
    stored.set(lower, value);
  }
  return Object.fromEntries(stored);
}

function pointerToken(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

function addressFaults(ctx: Context, path: string, url: string): FieldError[] {
  const target = addressPolicyOf(ctx.runtime.config).checkUrl(url);
  return "code" in target ? [{ path, message: `${target.code}: ${target.message}` }] : [];
}

function patternFaults(patterns: readonly string[]): FieldError[] {
  return patterns.flatMap((pattern, index) =>
    readEventPattern(pattern) === undefined
      ? [
          {
            path: `/eventTypes/${index}`,
            message: "must be a dotted type such as order.created, order.* or *",
          },
        ]
      : [],
  );
}

function headerFaults(headers: Readonly<Record<string, string>>): FieldError[] {
  const entries = Object.entries(headers);
  if (entries.length > HEADERS_MAX) return [{ path: "/headers", message: `must be at most ${HEADERS_MAX}` }];
  return entries.flatMap(([name, value]) => {
    const path = `/headers/${pointerToken(name)}`;
    if (SECRET_HEADER.test(name))
      return [{ path, message: "belongs into authConfig, which is not shown to readers" }];
    const message = nameFault(name);
    if (message !== undefined) return [{ path, message }];
    return HEADER_TEXT.test(value) ? [] : [{ path, message: "must be printable ASCII" }];
  });
}

function nameFault(name: string): string | undefined {
  if (!isSendableName(name)) return "is no header that may be set";
  return OWN_HEADER.test(name.toLowerCase()) ? "is written by the hub itself" : undefined;
}

function authFaults(ctx: Context, subscription: CheckedSubscription): FieldError[] {
  const { authType, authConfig } = subscription;
  if (authType === "NONE")
    return authConfig === null
      ? []
      : [{ path: "/authConfig", message: "must be left out with authType NONE" }];
  if (authConfig === null) return [{ path: "/authConfig", message: `is needed with authType ${authType}` }];
  const faults = schemaFaults(AUTH_CONFIGS[authType], authConfig, "/authConfig");
  if (faults.length > 0) return faults.slice(0, 5);
  if (authType === "OAUTH2")
    return addressFaults(ctx, "/authConfig/tokenUrl", String(authConfig["tokenUrl"]));
  const isQuery = authType === "API_KEY" && authConfig["in"] === "query";
  return isQuery ? [] : namesFaults(authConfig, "/authConfig", ["name", "header", "timestampHeader"]);
}

function signatureFaults(form: CheckedSubscription["signatureForm"]): FieldError[] {
  return form === null ? [] : namesFaults(form, "/signature", ["header", "timestampHeader"]);
}

/**
 * Two of signature, authentication and custom headers that would write one header: only one of them would be sent, and
 * it might be a delivery without its signature.
 */
function clashFaults(subscription: CheckedSubscription): FieldError[] {
  const places = new Map<string, string>();
  const faults: FieldError[] = [];
  for (const { name, path } of writtenHeaders(subscription)) {
    const taken = places.get(name);
    if (taken === undefined) places.set(name, path);
    else faults.push({ path, message: `must be another header than the ${name} of ${taken}` });
  }
  return faults;
}

/** Headers that are not the hub's own, and the field that each comes from; names in lower case. */
function writtenHeaders({ authType, authConfig, headers, signatureForm }: CheckedSubscription): {
  name: string;
  path: string;
}[] {
  const written: { name: string; path: string }[] = [];
  if (signatureForm?.scheme === "HMAC") {
    const own = hmacHeaders(signatureForm, "/signature");
    const { name, path } = own[0]!;
    written.push(...own);
    if (signatureForm.layout !== "PAIRS") written.push({ name: `${name}-previous`, path });
  }
  if (authType === "BASIC" || authType === "OAUTH2")
    written.push({ name: "authorization", path: "/authType" });
  if (authType === "HMAC" && authConfig !== null) written.push(...hmacHeaders(authConfig, "/authConfig"));
  if (authType === "API_KEY" && authConfig !== null && authConfig["in"] !== "query")
    written.push({ name: headerName(authConfig["name"], "x-api-key"), path: "/authConfig/name" });
  for (const name of Object.keys(headers)) written.push({ name, path: `/headers/${pointerToken(name)}` });
  return written;
}

function hmacHeaders(form: Readonly<Record<string, unknown>>, at: string): { name: string; path: string }[] {
  const written = [{ name: headerName(form["header"], "x-signature"), path: `${at}/header` }];
  if (form["timestampHeader"] !== undefined && form["layout"] !== "PAIRS")
    written.push({ name: headerName(form["timestampHeader"], ""), path: `${at}/timestampHeader` });
  return written;
}

function headerName(given: unknown, otherwise: string): string {
  return typeof given === "string" ? given.toLowerCase() : otherwise;
}

function namesFaults(
  config: Readonly<Record<string, unknown>>,
  at: string,
  fields: readonly string[],
): FieldError[] {
  return fields.flatMap((field) => {
    const name = config[field];
    const message = typeof name === "string" ? nameFault(name) : undefined;
    return message === undefined ? [] : [{ path: `${at}/${field}`, message }];
  });
}
