/** Outcomes of the tests of one step. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export const NOTHING: Counts = { passed: 0, failed: 0, skipped: 0 };

export function addCounts(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/**
 * Counts the test cases of a JUnit report as `bun test` writes it. Tests marked `todo` stand there as skipped.
 *
 * @param exitCode of the run: a crash outside of any test fails it without a failed case
 */
export function countJunit(xml: string, exitCode: number): Counts {
  const cases = casesOf(xml);
  const failed = cases.filter(hasFailed).length;
  const skipped = cases.filter(({ content }) => content.includes("<skipped")).length;
  const passed = cases.length - failed - skipped;
  return { passed, skipped, failed: failed === 0 && exitCode !== 0 ? 1 : failed };
}

/** Names of the failed cases, with their file. */
export function failedCases(xml: string): string[] {
  return casesOf(xml)
    .filter(hasFailed)
    .map(({ attributes }) => {
      const attribute = (name: string): string =>
        new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
      return `${attribute("file")}: ${attribute("name")}`;
    });
}

interface TestCase {
  attributes: string;
  content: string;
}

/** An attribute's value may hold `>`, but no quote. */
function casesOf(xml: string): TestCase[] {
  const found = xml.matchAll(/<testcase((?:\s+[\w-]+="[^"]*")*)\s*(?:\/>|>([\s\S]*?)<\/testcase>)/g);
  return [...found].map((match) => ({ attributes: match[1]!, content: match[2] ?? "" }));
}

function hasFailed({ content }: TestCase): boolean {
  return /<(?:failure|error)\b/.test(content);
}
