import { describe, expect, test } from "bun:test";
import ts from "typescript";
import { filesBelow } from "./source-files.ts";

/** Guides, not gates: what is larger stands below with its size, and may only shrink. */
const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;

const LARGE_FILES: Readonly<Record<string, number>> = {};
const LONG_FUNCTIONS: Readonly<Record<string, number>> = {
  // One statement: thirty columns, each beside its values.
  "src/domain/inbound/receipt-writer.ts#insertReceipts": 82,
};

const files = filesBelow(["src", "workers", "bench"], [".ts", ".tsx"]);

/** Functions with statements; an arrow over one expression, such as a route table, is data. */
function longFunctions(): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { path, text } of files) {
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    const visit = (node: ts.Node): void => {
      if (
        ts.isFunctionLike(node) &&
        "body" in node &&
        node.body !== undefined &&
        ts.isBlock(node.body as ts.Node)
      ) {
        const start = source.getLineAndCharacterOfPosition(node.getStart()).line;
        const lines = source.getLineAndCharacterOfPosition(node.getEnd()).line - start + 1;
        if (lines > FUNCTION_LINES_MAX) found[`${path}#${nameOf(node)}`] = lines;
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return found;
}

function nameOf(node: ts.SignatureDeclaration): string {
  if (node.name !== undefined) return node.name.getText();
  return ts.isVariableDeclaration(node.parent) ? node.parent.name.getText() : "(anonymous)";
}

/** What is over the guide and either unknown or grown, and what stands in the list without need. */
function judge(found: Record<string, number>, listed: Readonly<Record<string, number>>) {
  return {
    grown: Object.entries(found).filter(([name, lines]) => lines > (listed[name] ?? 0)),
    obsolete: Object.keys(listed).filter((name) => !Object.hasOwn(found, name)),
  };
}

describe("size", () => {
  test("files stay within the guide", () => {
    const lines = Object.fromEntries(files.map(({ path, text }) => [path, text.split("\n").length - 1]));
    const large = Object.fromEntries(Object.entries(lines).filter(([, count]) => count > FILE_LINES_MAX));
    expect(judge(large, LARGE_FILES)).toEqual({ grown: [], obsolete: [] });
  });

  test("functions stay within the guide", () => {
    expect(judge(longFunctions(), LONG_FUNCTIONS)).toEqual({ grown: [], obsolete: [] });
  });
});
