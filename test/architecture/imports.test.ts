import { describe, expect, test } from "bun:test";
import { filesBelow, importsOf, ROOT, type SourceFile, withoutComments } from "./source-files.ts";
import { existsSync } from "node:fs";
import { join } from "node:path";

const files = filesBelow(["src", "workers", "bench", "test"], [".ts", ".tsx"]);
const product = files.filter(({ path }) => !path.startsWith("test/") && !path.startsWith("bench/"));

/** A file's layer by its path; the longest matching prefix counts. */
const LAYERS = [
  "src/platform",
  "src/domain",
  "src/edge",
  "src/console",
  "src/start",
  "src/cli",
  "workers",
  "bench",
  "test",
];
const layerOf = (path: string): string => LAYERS.find((layer) => path.startsWith(`${layer}/`)) ?? "?";

/** Which layer may import which; a layer may always import itself. */
const LAYER_TABLE: Readonly<Record<string, readonly string[]>> = {
  "src/platform": [],
  "src/domain": ["src/platform"],
  "src/edge": ["src/domain", "src/platform"],
  workers: ["src/domain", "src/platform"],
  "src/start": ["src/domain", "src/platform"],
  "src/cli": ["src/domain", "src/platform"],
  "src/console": [],
  bench: LAYERS,
  test: LAYERS,
};

/** Nouns besides `audit`, which every noun may import. `health` shows everything. */
const NOUN_TABLE: Readonly<Record<string, readonly string[] | "all">> = {
  tenancy: [],
  audit: [],
  providers: [],
  "rate-limit": [],
  "circuit-breaker": [],
  "api-logs": [],
  events: [],
  vault: [],
  transformations: ["events"],
  alerts: [],
  services: [],
  edi: ["events", "subscriptions", "transformations"],
  idempotency: ["vault"],
  integrations: ["providers", "vault", "events"],
  oauth: ["integrations", "providers", "vault", "events", "alerts", "api-logs"],
  gateway: [
    "integrations",
    "oauth",
    "providers",
    "vault",
    "rate-limit",
    "circuit-breaker",
    "transformations",
    "events",
    "alerts",
    "api-logs",
  ],
  subscriptions: ["events", "transformations", "vault"],
  inbound: ["integrations", "providers", "transformations", "vault", "events", "api-logs", "services", "edi"],
  "dead-letters": ["inbound", "events"],
  deliveries: [
    "subscriptions",
    "events",
    "transformations",
    "oauth",
    "rate-limit",
    "circuit-breaker",
    "alerts",
    "api-logs",
    "edi",
  ],
  "sync-jobs": ["integrations", "providers", "gateway", "transformations", "events"],
  health: "all",
};
const nounOf = (path: string): string | undefined => /^src\/domain\/([^/]+)\//.exec(path)?.[1];

describe("imports", () => {
  test("name files that exist, with their ending", () => {
    const missing = files.flatMap((file) =>
      importsOf(file)
        .filter(({ isOwn, target }) => isOwn && !existsSync(join(ROOT, target)))
        .map(({ target }) => `${file.path} → ${target}`),
    );
    expect(missing).toEqual([]);
  });

  test("follow the table of layers", () => {
    const breaches = product.flatMap((file) =>
      importsOf(file)
        .filter(({ isOwn }) => isOwn)
        .filter(({ target }) => {
          const [from, to] = [layerOf(file.path), layerOf(target)];
          return to !== "?" && from !== to && !LAYER_TABLE[from]?.includes(to);
        })
        .map(({ target }) => `${file.path} → ${target}`),
    );
    expect(breaches).toEqual([]);
  });

  test("lie in a known layer", () => {
    expect(product.filter(({ path }) => layerOf(path) === "?").map(({ path }) => path)).toEqual([]);
  });

  test("follow the table of nouns", () => {
    const breaches = product.flatMap((file) => {
      const noun = nounOf(file.path);
      const allowed = noun === undefined ? "all" : NOUN_TABLE[noun];
      if (allowed === undefined) return [`${file.path}: the noun "${noun}" is not in the table`];
      if (allowed === "all") return [];
      return importsOf(file)
        .map(({ target }) => ({ target, to: nounOf(target) }))
        .filter(({ to }) => to !== undefined && to !== noun && to !== "audit" && !allowed.includes(to))
        .map(({ target }) => `${file.path} → ${target}`);
    });
    expect(breaches).toEqual([]);
  });

  test("keep the framework out of the domain, the workers and the platform", () => {
    const breaches = product
      .filter(({ path }) => !path.startsWith("src/edge/") && !path.startsWith("src/console/"))
      .flatMap((file) =>
        importsOf(file)
          .filter(({ target }) => /^(?:elysia|@elysiajs\/.*)$/.test(target))
          .map(({ target }) => `${file.path} → ${target}`),
      );
    expect(breaches).toEqual([]);
  });

  test("form no circle, types included", () => {
    expect(circles(files)).toEqual([]);
  });

  test("pass through no barrel, and no folder or file is called utils", () => {
    const REEXPORT = /^export\s+(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}]*\})\s+from\s+"[^"]+";?$/gm;
    const barrels = files.filter(
      ({ path, text }) =>
        /(?:^|\/)index\.tsx?$/.test(path) || withoutComments(text).replaceAll(REEXPORT, "").trim() === "",
    );
    expect(barrels.map(({ path }) => path)).toEqual([]);
    expect(
      files.filter(({ path }) => /(?:^|\/)(?:utils?|helpers?|shared|misc)(?:\/|\.|$)/.test(path)),
    ).toEqual([]);
  });

  test("use named exports only", () => {
    const named = files.filter(
      ({ path, text }) => !path.endsWith(".d.ts") && /^export default\b/m.test(text),
    );
    expect(named.map(({ path }) => path)).toEqual([]);
  });
});

/** Groups of files that import each other (Tarjan's strongly connected components of more than one file). */
function circles(all: readonly SourceFile[]): string[][] {
  const edges = new Map(all.map((file) => [file.path, importsOf(file).map(({ target }) => target)]));
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (node: string): void => {
    index.set(node, index.size);
    low.set(node, index.get(node)!);
    stack.push(node);
    for (const next of edges.get(node) ?? []) {
      if (!edges.has(next)) continue;
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(node, Math.min(low.get(node)!, low.get(next)!));
    }
    if (low.get(node) !== index.get(node)) return;
    const group = stack.splice(stack.indexOf(node));
    if (group.length > 1) found.push(group.sort());
  };
  for (const node of edges.keys()) if (!index.has(node)) visit(node);
  return found;
}
