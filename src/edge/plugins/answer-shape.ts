import type { TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { Elysia } from "elysia";
import type { RegisteredRoute } from "./method-table.ts";

/**
 * Removes from answers what their schema does not name, at every depth: a column that a verb hands on by accident does
 * not leave the hub. The framework's own normalisation is off, because it would drop unknown fields of requests too,
 * and those are refused.
 *
 * @param routes all routes of the app; may be filled until the first request
 */
export function answerShape(routes: readonly RegisteredRoute[]) {
  let schemas: Map<string, Record<string, TSchema>> | undefined;
  return new Elysia({ name: "answer-shape" }).onAfterHandle(
    { as: "global" },
    function keepNamedFields({ request, route, responseValue, set }) {
      if (typeof responseValue !== "object" || responseValue === null || responseValue instanceof Response)
        return;
      schemas ??= new Map(
        routes.map(({ method, path, hooks }) => [`${method} ${path}`, hooks.response ?? {}]),
      );
      const method = request.method === "HEAD" ? "GET" : request.method;
      const schema = schemas.get(`${method} ${route}`)?.[String(set.status ?? 200)];
      if (schema !== undefined) Value.Clean(schema, responseValue);
    },
  );
}
