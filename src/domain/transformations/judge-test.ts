import { compareDocuments, type Difference } from "./compare-documents.ts";
import type { DocumentOutcome } from "./document-fault.ts";
import { readOutput } from "./read-output.ts";
import type { TestCase } from "./document-tasks.ts";
import type { VersionContent } from "./store.ts";

/** Places that a failed test names. */
const NAMED_MAX = 5;
const VALUE_CHARS_MAX = 80;

/**
 * Whether an outcome is what a test expects: the same values as the expected document, however either is written; or the
 * expected fault. Without an expectation the document only has to pass.
 */
export function judgeTest(
  content: Pick<VersionContent, "targetFormat" | "mappingRules">,
  test: TestCase,
  outcome: DocumentOutcome,
): { passed: boolean; message: string | null } {
  const { expected, expectedCode } = test;
  if (expectedCode !== null) {
    if (outcome.ok) return failed(`It passes, but ${expectedCode} is expected`);
    const codes = [outcome.code, ...outcome.faults.map(({ code }) => code)];
    return codes.includes(expectedCode)
      ? { passed: true, message: null }
      : failed(`${expectedCode} is expected, not ${[...new Set(codes)].join(", ")}: ${outcome.message}`);
  }
  if (!outcome.ok) return failed(`${outcome.code}: ${outcome.message}`);
  if (expected === null || Buffer.from(expected).equals(Buffer.from(outcome.bytes)))
    return { passed: true, message: null };
  const wanted = readOutput(content, expected);
  if (!wanted.ok) return failed(`The expected document cannot be read: ${wanted.message}`);
  const made = readOutput(content, outcome.bytes);
  if (!made.ok) return failed(`The output cannot be read: ${made.message}`);
  const differences = compareDocuments(wanted.document, made.document, NAMED_MAX + 1);
  if (differences.length === 0) return { passed: true, message: null };
  const named = differences.slice(0, NAMED_MAX).map(differenceText);
  return failed(named.join("; ") + (differences.length > NAMED_MAX ? "; and more" : ""));
}

function failed(message: string): { passed: false; message: string } {
  return { passed: false, message };
}

function differenceText({ pointer, before, after }: Difference): string {
  return `${pointer === "" ? "the document" : pointer}: ${valueText(before)} is expected, not ${valueText(after)}`;
}

function valueText(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : text;
}
