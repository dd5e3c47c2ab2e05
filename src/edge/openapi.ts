import { registerSchemaPath } from "@elysiajs/swagger/utils";
import { OptionalKind } from "@sinclair/typebox";
import type { RegisteredRoute } from "./plugins/method-table.ts";
import { AcceptedWebhook, INGRESS } from "./ingress/ingress-document.ts";
import { PROXY, PROXY_METHODS } from "./gateway/proxy-document.ts";
import { Problem } from "./problems.ts";
import { isPublicRoute } from "./public-routes.ts";

/** An OpenAPI 3.1 document; only what is looked into here is typed. */
export interface OpenApiDocument {
  openapi: string;
  info: { title: string; version: string; description: string };
  servers: { url: string }[];
  paths: Record<string, Record<string, Operation>>;
  [more: string]: unknown;
}

export interface Operation {
  operationId: string;
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: Parameter[];
  requestBody?: { required?: boolean; content: Record<string, { schema: JsonSchema }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: JsonSchema }> }>;
  security?: Record<string, string[]>[];
}

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema: JsonSchema;
}

export type JsonSchema = Record<string, unknown>;

const IDEMPOTENCY_KEY: Parameter = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description:
    "For 24 hours the same key answers what the first request was answered, and nothing is done twice.",
  schema: { type: "string", minLength: 1, maxLength: 255 },
};

/** In a route's `detail`: its POST creates nothing (no 201) and takes the header all the same. */
export const TAKES_IDEMPOTENCY_KEY = { "x-idempotency-key": true } as const;

/** What reading a body can end in before any verb is asked. */
const BODY_STATUSES = [413, 415] as const;

const DESCRIPTION = `Errors are problem documents (RFC 9457). Lists are pages: \`?limit=&cursor=\`, newest first.
A secret is shown once, when it is made. Another tenant's id answers 404, as if it did not exist.`;

/**
 * Makes the OpenAPI document from the very schemas that validate. Paths, parameters and bodies come from
 * @elysiajs/swagger; `repair` puts right what it gets wrong.
 *
 * @param routes all routes of the app
 * @param publicUrl PUBLIC_URL, the document's server
 */
export function createDocument(routes: readonly RegisteredRoute[], publicUrl: string): OpenApiDocument {
  const paths: OpenApiDocument["paths"] = {};
  for (const route of routes) {
    if (route.hooks.detail?.["hide"] === true) continue;
    const generated: Record<string, Record<string, unknown>> = {};
    registerSchemaPath({
      schema: generated,
      path: route.path,
      method: route.method as "GET",
      hook: { ...route.hooks, parse: undefined } as never,
      models: {},
    });
    for (const [path, methods] of Object.entries(generated)) {
      const trimmed = path.length > 1 ? path.replace(/\/$/, "") : path;
      for (const [method, operation] of Object.entries(methods)) {
        (paths[trimmed] ??= {})[method] = repair(operation as Operation, route, trimmed);
      }
    }
  }
  paths[INGRESS.path] = { post: ingressOperation() };
  paths[PROXY.path] = Object.fromEntries(
    PROXY_METHODS.map((method) => [method.toLowerCase(), proxyOperation(method)]),
  );
  return {
    openapi: "3.1.0",
    info: { title: "Integration Hub", version: "1", description: DESCRIPTION },
    servers: [{ url: publicUrl }],
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "An API key (`hub_…`) or a token of the Auth service.",
        },
      },
    },
  };
}

function ingressOperation(): Operation {
  const refusals = INGRESS.refusals.map((status) => [status, responseOf(status, Problem)]);
  return {
    ...INGRESS.operation,
    parameters: [...INGRESS.operation.parameters],
    tags: [...INGRESS.operation.tags],
    security: [],
    responses: { "200": responseOf(200, AcceptedWebhook), ...Object.fromEntries(refusals) },
  };
}

function proxyOperation(method: string): Operation {
  const { operation, path, accepted } = PROXY;
  const refusals = PROXY.refusals.map((status) => [status, responseOf(status, Problem)]);
  const hasBody = method === "POST" || method === "PUT" || method === "PATCH";
  return {
    ...operation,
    operationId: operationId(method, path),
    tags: [...operation.tags],
    parameters: [...operation.parameters],
    security: [{ bearer: [] }],
    ...(hasBody ? { requestBody: { content: { "*/*": { schema: {} } } } } : {}),
    responses: {
      "202": responseOf(202, accepted),
      ...Object.fromEntries(refusals),
      default: { description: "The provider's answer, unchanged.", content: { "*/*": { schema: {} } } },
    },
  };
}

/**
 * What the generator gets wrong: it offers form and text bodies that are refused, asks for bodies that may be left out, copies a union's members beside the
 * response instead of into it, forgets closed objects, writes numbers of a query as "string or number", keeps keys that
 * OpenAPI does not know, and knows nothing of security.
 */
function repair(operation: Operation, route: RegisteredRoute, path: string): Operation {
  const repaired: Operation = {
    ...operation,
    operationId: operationId(route.method, path),
    responses: Object.fromEntries(
      Object.entries(route.hooks.response ?? {}).map(([status, schema]) => [
        status,
        responseOf(Number(status), schema),
      ]),
    ),
  };
  const parameters = (operation.parameters ?? []).map((parameter) => ({
    name: parameter.name,
    in: parameter.in,
    required: parameter.in === "path" || parameter.required === true,
    ...(parameter.description === undefined ? {} : { description: parameter.description }),
    schema: plainSchema(parameter.schema),
  }));
  const isIdempotent = "x-idempotency-key" in repaired;
  if (route.method === "POST" && ("201" in repaired.responses || isIdempotent))
    parameters.push({ ...IDEMPOTENCY_KEY, required: false });
  if (parameters.length > 0) repaired.parameters = parameters;
  else delete repaired.parameters;
  const body = operation.requestBody?.content["application/json"];
  if (body !== undefined) {
    repaired.requestBody = {
      required: route.hooks.body?.[OptionalKind] === undefined,
      content: { "application/json": { schema: plainSchema(body.schema) } },
    };
    for (const status of BODY_STATUSES) repaired.responses[status] ??= responseOf(status, Problem);
  }
  repaired.security = isPublicRoute(route.method, route.path) ? [] : [{ bearer: [] }];
  return repaired;
}

function responseOf(status: number, schema: JsonSchema): Operation["responses"][string] {
  const plain = plainSchema(schema);
  const description = String(plain["description"] ?? (status < 300 ? "Done." : "Refused."));
  if (plain["type"] === "void" || plain["type"] === "null") return { description };
  const usual = status >= 400 ? "application/problem+json" : "application/json";
  const mediaType = String(plain["contentMediaType"] ?? usual);
  delete plain["contentMediaType"];
  return { description, content: { [mediaType]: { schema: plain } } };
}

/** A copy without the generator's and the framework's own keys; "numeric text or number" becomes the number. */
function plainSchema(schema: unknown): JsonSchema {
  const copy = JSON.parse(JSON.stringify(schema)) as JsonSchema;
  return plainValue(copy) as JsonSchema;
}

const FOREIGN_KEYS = ["error", "elysiaMeta", "Encode", "Decode"];

function plainValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainValue);
  if (typeof value !== "object" || value === null) return value;
  const members = (value as JsonSchema)["anyOf"];
  if (Array.isArray(members) && members.length === 2) {
    const [first, second] = members as JsonSchema[];
    const isText =
      first?.["type"] === "string" &&
      ["integer", "numeric", "boolean", "date"].includes(String(first["format"]));
    if (isText && second !== undefined) {
      const { anyOf: _anyOf, ...rest } = value as JsonSchema;
      return plainValue({ ...second, ...rest });
    }
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, member]) => !FOREIGN_KEYS.includes(key) && !(key === "type" && member === undefined))
      .map(([key, member]) => [key, plainValue(member)]),
  );
}

/** Unique by construction: method and path are. */
function operationId(method: string, path: string): string {
  const words = path.replace(/^\/api\/v1/, "").split(/[/{}._-]+/);
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}
