import { describe, expect, test } from "bun:test";
import { filesBelow, importsOf, type SourceFile, withoutComments } from "./source-files.ts";

const domain = filesBelow(["src/domain"], [".ts"]);
const byPath = new Map(domain.map((file) => [file.path, file]));

const WRITES = /\b(?:insert\s+into|update\s+\w+\s+set|update\s+\$\{|delete\s+from)\b/i;

/** Work that no caller asked for by a verb, each with its reason. */
const UNAUDITED: Readonly<Record<string, string>> = {
  "src/domain/idempotency/run-once.ts": "remembers the answer of a verb that is audited itself",
};

/** Names of a store's exported functions whose own text writes. */
function writersOf(file: SourceFile): string[] {
  return withoutComments(file.text)
    .split(/^(?=export )/m)
    .filter((part) => WRITES.test(part))
    .map((part) => /^export (?:async )?function (\w+)/.exec(part)?.[1])
    .filter((name) => name !== undefined);
}

/** A verb works in the tenant's transaction; what hub_system does in batches is no verb. */
const verbs = domain.filter(
  ({ path, text }) =>
    /\bwithTenant\(|\bwithOuterTransaction\(/.test(withoutComments(text)) && path !== "src/domain/context.ts",
);

/** True when the verb writes itself, or calls a function of a store that does. */
function isMutating(file: SourceFile): boolean {
  const code = withoutComments(file.text);
  if (WRITES.test(code)) return true;
  return importsOf(file)
    .map(({ target }) => byPath.get(target))
    .filter((store) => store !== undefined && store.path.endsWith("store.ts"))
    .some((store) => writersOf(store!).some((name) => new RegExp(`\\b${name}\\(`).test(code)));
}

describe("verbs", () => {
  test("are found by this test", () => {
    const mutating = verbs.filter(isMutating).map(({ path }) => path);
    expect(mutating).toContain("src/domain/tenancy/revoke-api-key.ts");
    expect(mutating).toContain("src/domain/tenancy/create-tenant.ts");
    expect(mutating).not.toContain("src/domain/tenancy/list-api-keys.ts");
  });

  test("that write are audited in their transaction", () => {
    const silent = verbs
      .filter((file) => isMutating(file) && !/\bemitAudit\(tx\b/.test(file.text))
      .map(({ path }) => path)
      .filter((path) => !Object.hasOwn(UNAUDITED, path));
    expect(silent).toEqual([]);
  });

  test("check their scope, unless the hub itself calls them", () => {
    const unchecked = verbs
      .filter(({ text }) => !/\brequireScope\(ctx\b/.test(text) && !/\bsystemContext\(/.test(text))
      .map(({ path }) => path)
      .filter((path) => !Object.hasOwn(UNAUDITED, path));
    expect(unchecked).toEqual([]);
  });

  test("never take a connection past the tenant's setting", () => {
    const bypassing = filesBelow(["src/domain", "src/edge"], [".ts"])
      .filter(({ path }) => path !== "src/domain/context.ts")
      .filter(({ text }) => /\bsqlApp\b/.test(withoutComments(text)));
    // The accept path has a tenant but no Context; it sets the tenant in its own transaction.
    expect(bypassing.map(({ path }) => path)).toEqual(["src/domain/inbound/large-bodies.ts"]);
  });
});
