import type { TSchema } from "@sinclair/typebox";

/** What the plugins read of a route of the app. */
export interface RegisteredRoute {
  method: string;
  /** As in the code: `/a/:id/*`. */
  path: string;
  hooks: {
    /** Schemas by status. */
    response?: Record<string, TSchema>;
    body?: TSchema;
    detail?: Record<string, unknown>;
  };
}

/** Methods that a path answers; empty when there is no such path. */
export type MethodTable = (path: string) => readonly string[];

/**
 * The table by which 405 is told from 404, and by which OPTIONS answers. HEAD goes wherever GET goes.
 *
 * @param routes all routes of the app; may be filled until the first question
 */
export function methodTable(routes: readonly RegisteredRoute[]): MethodTable {
  let rows: { pattern: RegExp; methods: readonly string[] }[] | undefined;
  return (path) => {
    rows ??= compile(routes);
    const methods = new Set(rows.filter((row) => row.pattern.test(path)).flatMap((row) => row.methods));
    if (methods.size === 0) return [];
    if (methods.has("GET")) methods.add("HEAD");
    return [...methods.add("OPTIONS")].sort();
  };
}

function compile(routes: readonly RegisteredRoute[]): { pattern: RegExp; methods: readonly string[] }[] {
  const byPath = new Map<string, string[]>();
  for (const { method, path } of routes) byPath.set(path, [...(byPath.get(path) ?? []), method]);
  return [...byPath].map(([path, methods]) => ({ pattern: patternOf(path), methods }));
}

function patternOf(path: string): RegExp {
  const source = path
    .replace(/\/$/, "")
    .replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(/:[^/]+/g, "[^/]+")
    .replaceAll("*", ".*");
  return new RegExp(`^${source}/?$`);
}
