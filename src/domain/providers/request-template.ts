import { applyAuth, secretsIn } from "./apply-auth.ts";
import type { Auth } from "./auth-schema.ts";
import { buildUrl, type PathFaultCode } from "./build-url.ts";
import { withDefaults } from "./choose-auth.ts";
import {
  type Escape,
  fillHeader,
  fillJson,
  fillTemplate,
  pathEscape,
  segmentEscape,
  TemplateError,
  textsIn,
  type Values,
  xmlEscape,
} from "./fill-template.ts";
import type { Environment, ProviderManifest } from "./manifest-schema.ts";
import type { RequestTemplate } from "./request-schema.ts";
import { resolveServer, type ServerFaultCode } from "./resolve-server.ts";

/** A request as it is sent. */
export interface RenderedRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: string;
}

/** The request, or why none can be made: `field` is what has to be mended. */
export type RenderOutcome =
  | { ok: true; request: RenderedRequest; secrets: string[] }
  | { ok: false; code: ServerFaultCode | PathFaultCode; field?: string; message: string };

/** Of whose values a request is made. */
export interface RenderInput {
  environment: Environment;
  /** Fields of the integration, the derived ones too. Addresses are made of these alone. */
  config: Values;
  /** Its secrets, and what the step brings along: `accessToken`, `code`, … */
  credentials: Values;
  /** The log-in that is added, with the headers and parameters that every call has; left out: neither (token requests). */
  auth?: Auth;
}

/** Makes a request of a template. Nothing that a value holds can become another header, parameter, member or segment. */
export function renderRequest(
  manifest: ProviderManifest,
  template: RequestTemplate,
  input: RenderInput,
): RenderOutcome {
  const config = withDefaults(manifest, input.config);
  const server = resolveServer(manifest, { ...input, config, name: template.server });
  if (!server.ok) return server;
  const values = { ...config, ...input.credentials };
  try {
    const paths = manifest.fields.filter(({ type }) => type === "path").map(({ name }) => name);
    const escape: Escape = (value, field) =>
      (paths.includes(field) ? pathEscape : segmentEscape)(value, field);
    const built = buildUrl(server.baseUrl, fillTemplate(template.path, values, escape));
    if (!built.ok) return built;
    return render(manifest, template, { url: built.url, values, auth: input.auth });
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { ok: false, code: error.code, field: error.field, message: error.message };
  }
}

function render(
  manifest: ProviderManifest,
  template: RequestTemplate,
  { url, values, auth }: { url: string; values: Values; auth: Auth | undefined },
): RenderOutcome {
  const added = auth === undefined ? undefined : applyAuth(manifest, auth, values);
  const general = auth === undefined ? undefined : defaultsOf(manifest, values);
  const headers = new Map<string, [string, string]>();
  const set = (entries: Record<string, string> | undefined): void => {
    for (const [name, value] of Object.entries(entries ?? {})) headers.set(name.toLowerCase(), [name, value]);
  };
  set(general?.headers);
  set(fillEntries(template.headers, (text) => fillHeader(text, values)));
  const body = renderBody(template, values, added?.body ?? {});
  if (body?.contentType !== undefined) set({ "Content-Type": body.contentType });
  set(added?.headers);
  const query = {
    ...general?.query,
    ...fillEntries(template.query, (text) => fillTemplate(text, values)),
    ...added?.query,
  };
  const secrets = textsIn(template).flatMap(({ text }) =>
    secretsIn(manifest, auth ?? manifest.auth, text, values),
  );
  return {
    ok: true,
    request: {
      method: template.method,
      url: withQuery(url, query),
      headers: Object.fromEntries(headers.values()),
      ...(body === undefined ? {} : { body: body.text }),
    },
    secrets: [...new Set([...(added?.secrets ?? []), ...secrets])],
  };
}

/**
 * Headers and query parameters that every call of the provider has. One whose value is left out (`[[…]]`) is not sent.
 *
 * @throws TemplateError
 */
export function defaultsOf(
  manifest: ProviderManifest,
  values: Values,
): { headers: Record<string, string>; query: Record<string, string> } {
  return {
    headers: fillEntries(manifest.headers, (text) => fillHeader(text, values)),
    query: fillEntries(manifest.query, (text) => fillTemplate(text, values)),
  };
}

/** Adds parameters to a URL; those that it has already stay, except for ones of the same name. */
export function withQuery(url: string, query: Readonly<Record<string, string>>): string {
  const entries = Object.entries(query);
  if (entries.length === 0) return url;
  const mark = url.indexOf("?");
  const kept = (mark < 0 ? "" : url.slice(mark + 1)).split("&").filter((pair) => {
    const name = pair.split("=", 1)[0]!;
    return pair !== "" && !Object.hasOwn(query, decodedName(name));
  });
  const added = entries.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return `${mark < 0 ? url : url.slice(0, mark)}?${[...kept, ...added].join("&")}`;
}

function decodedName(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

function fillEntries(
  entries: Readonly<Record<string, string>> | undefined,
  fill: (text: string) => string,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(entries ?? {})
      .map(([name, text]) => [name, fill(text)] as const)
      .filter(([, value]) => value !== ""),
  );
}

function renderBody(
  { body }: RequestTemplate,
  values: Values,
  added: Readonly<Record<string, string>>,
): { text: string; contentType: string } | undefined {
  if (body === undefined) {
    if (Object.keys(added).length === 0) return undefined;
    return { text: JSON.stringify(added), contentType: "application/json" };
  }
  switch (body.type) {
    case "json": {
      const filled = fillJson(body.value, values);
      const isObject = typeof filled === "object" && filled !== null && !Array.isArray(filled);
      return {
        text: JSON.stringify(isObject ? { ...filled, ...added } : filled),
        contentType: "application/json",
      };
    }
    case "form": {
      const fields = { ...fillEntries(body.fields, (text) => fillTemplate(text, values)), ...added };
      return { text: formText(fields), contentType: "application/x-www-form-urlencoded" };
    }
    case "xml":
      return { text: fillTemplate(body.text, values, xmlEscape), contentType: body.contentType };
    case "text":
      return { text: fillTemplate(body.text, values), contentType: body.contentType };
  }
}

/** application/x-www-form-urlencoded, as RFC 6749 appendix B and the URL standard have it. */
export function formText(fields: Readonly<Record<string, string>>): string {
  return new URLSearchParams(Object.entries(fields)).toString();
}
