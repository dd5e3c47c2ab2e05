import { Type } from "@sinclair/typebox";

/** Methods that are passed on. */
export const PROXY_METHODS: readonly string[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

const header = (name: string, description: string, schema: Record<string, unknown>) => ({
  name,
  in: "header",
  required: false,
  description,
  schema,
});

const milliseconds = (minimum: number) => ({ type: "integer", minimum, maximum: 3_600_000 });

/** The proxy for the API's document: it never enters the framework, so no route tells of it. */
export const PROXY = {
  path: "/api/v1/integrations/{id}/proxy/{path}",
  refusals: [400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 502, 503, 504],
  accepted: Type.Object(
    { id: Type.String({ format: "uuid" }), status: Type.Literal("QUEUED") },
    { description: "Stored; the result is at `Location`, and comes as the event `gateway.call_completed`." },
  ),
  operation: {
    tags: ["Gateway"],
    summary: "Call the provider",
    description:
      "Scope `gateway:call`. Method, path, query, headers and body go on to the provider with the integration's " +
      "credential; its answer comes back unchanged, whatever its status. Errors of the hub itself carry " +
      "`Hub-Error-Source: hub`. Answers tell `Hub-Log-Id`, `Hub-Attempts`, `Hub-Queued-Ms`, `Hub-Rate-Remaining` and " +
      "`Hub-Circuit`. The caller's Authorization, cookies and hop-by-hop headers stay here; redirects are not followed.",
    parameters: [
      { name: "id", in: "path", required: true, schema: { type: "string", format: "uuid" } },
      {
        name: "path",
        in: "path",
        required: true,
        description: "Path below the provider's base address; any number of segments.",
        schema: { type: "string" },
      },
      header("Hub-Priority", "high goes before all that waits.", {
        type: "string",
        enum: ["high", "normal", "low"],
        default: "normal",
      }),
      header(
        "Hub-Timeout-Ms",
        "For everything: queue, retries and both bodies. The integration's `timeoutSeconds` when left out.",
        milliseconds(1),
      ),
      header(
        "Hub-Queue-Timeout-Ms",
        "Longest wait for the provider's limits; 10 seconds when left out.",
        milliseconds(0),
      ),
      header("Hub-Retries", "Tries after the first one; the integration's `maxRetries` when left out.", {
        type: "integer",
        minimum: 0,
        maximum: 10,
      }),
      header(
        "Idempotency-Key",
        "Passed on in the provider's own header; with it POST, PUT, PATCH and DELETE may be tried again too.",
        { type: "string", minLength: 1, maxLength: 255 },
      ),
      header(
        "Hub-Transform-Request",
        "`<code>[@<version>]` of a template through which the body goes before it is sent; up to 10 MiB.",
        { type: "string" },
      ),
      header(
        "Hub-Transform-Response",
        "`<code>[@<version>]` of a template through which the body of an answer with a 2xx goes; up to 10 MiB.",
        { type: "string" },
      ),
      header("Prefer", "`respond-async`: 202 at once, done by a worker.", { type: "string" }),
    ],
  },
} as const;
