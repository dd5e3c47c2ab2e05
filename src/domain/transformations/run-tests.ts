import type { Runtime } from "../../platform/runtime.ts";
import type { FieldError } from "../errors.ts";
import { invalidInput } from "../errors.ts";
import { documentThreadsOf, ThreadFailure } from "./document-threads.ts";
import { recipeOf, type SubMappings } from "./load-template.ts";
import { readExample } from "./read-example.ts";
import type { VersionContent } from "./store.ts";
import type { TestOutcome, TestValues } from "./test-store.ts";
import type { TestInput } from "./transformation-schema.ts";

/** `now()` of a test: what it makes of the time is the same on every day. */
const TEST_TIME_MS = Date.UTC(2026, 0, 1);

/** Time for all tests of a template together. */
const TESTS_DEADLINE_MS = 30_000;

/** A test with how it went. */
export type TestResult = TestValues & { outcome: TestOutcome; ranAt: Date };

/**
 * Reads test cases as they are given.
 *
 * @throws HubError 422 `invalid_input` for names that stand twice and documents that are none
 */
export function readTests(tests: readonly TestInput[], content: VersionContent): TestValues[] {
  const faults: FieldError[] = [];
  const names = new Set<string>();
  const read = tests.map((test, index) => {
    const at = `/tests/${index}`;
    if (names.has(test.name)) faults.push({ path: `${at}/name`, message: "stands twice" });
    names.add(test.name);
    if (test.expected !== undefined && (test.expectedCode ?? null) !== null)
      faults.push({ path: `${at}/expectedCode`, message: "cannot stand beside expected" });
    const input = readExample(content.sourceFormat, test.input, test.inputEncoding, `${at}/input`);
    const expected =
      test.expected === undefined
        ? null
        : readExample(content.targetFormat, test.expected, undefined, `${at}/expected`);
    for (const part of [input, expected]) if (part !== null && "path" in part) faults.push(part);
    return { name: test.name, input, expected, expectedCode: test.expectedCode ?? null } as TestValues;
  });
  if (faults.length > 0) throw invalidInput(faults);
  return read;
}

/** Runs test cases against a content, outside the event loop. */
export async function runTests(
  runtime: Runtime,
  tenantId: string,
  version: { content: VersionContent; subMappings: SubMappings },
  tests: readonly TestValues[],
): Promise<TestResult[]> {
  if (tests.length === 0) return [];
  const outcomes = await documentThreadsOf(runtime)
    .run(
      "test",
      {
        recipe: recipeOf(version.content, version.subMappings),
        tests: tests.map(({ input, expected, expectedCode }) => ({ input, expected, expectedCode })),
        context: { nowMs: TEST_TIME_MS },
      },
      { key: `tests ${tenantId}`, deadlineMs: TESTS_DEADLINE_MS },
    )
    .catch((error: unknown) => {
      if (!(error instanceof ThreadFailure)) throw error;
      return tests.map(() => ({ passed: false, message: `${error.code}: ${error.message}` }));
    });
  const ranAt = new Date(runtime.clock.nowMs());
  return tests.map(({ name, input, expected, expectedCode }, index) => ({
    name,
    input,
    expected,
    expectedCode,
    outcome: outcomes[index]!,
    ranAt,
  }));
}

/** The tests that failed, as faults of the request. */
export function testFailures(results: readonly TestResult[]): FieldError[] {
  return results.flatMap(({ outcome }, index) =>
    outcome.passed
      ? []
      : [{ path: `/tests/${index}`, message: `${results[index]!.name}: ${outcome.message}` }],
  );
}
