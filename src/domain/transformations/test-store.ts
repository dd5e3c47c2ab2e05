import type { Transaction } from "../context.ts";

/** A row of transformation_tests. */
export interface TestRow {
  id: string;
  name: string;
  input: Uint8Array;
  /** Null: it only has to pass, or to fail with `expectedCode`. */
  expected: Uint8Array | null;
  expectedCode: string | null;
  lastPassed: boolean | null;
  lastMessage: string | null;
  lastRunAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

/** What a person says of a test. */
export type TestValues = Pick<TestRow, "name" | "input" | "expected" | "expectedCode">;

/** How a test went. */
export interface TestOutcome {
  passed: boolean;
  /** What differs, or why it failed; null when it passed. */
  message: string | null;
}

const COLUMNS = `id, name, input, expected, expected_code as "expectedCode", last_passed as "lastPassed",
  last_message as "lastMessage", last_run_at as "lastRunAt", created_at as "createdAt", updated_at as "updatedAt"`;

/** Tests of a template that the tenant sees, in the order of their names. */
export async function listTestRows(
  tx: Transaction,
  tenantId: string,
  templateId: string,
): Promise<TestRow[]> {
  return tx<TestRow[]>`
    select ${tx.unsafe(COLUMNS)} from transformation_tests
    where template_id = ${templateId} and (tenant_id = ${tenantId} or tenant_id is null)
    order by name`;
}

/** Replaces the tests of a template; those of a name that stays keep their id. */
export async function replaceTestRows(
  tx: Transaction,
  tenantId: string,
  templateId: string,
  tests: readonly (TestValues & { outcome: TestOutcome; ranAt: Date })[],
): Promise<void> {
  await tx`
    delete from transformation_tests
    where tenant_id = ${tenantId} and template_id = ${templateId} and name <> all(${tests.map(({ name }) => name)})`;
  for (const test of tests) {
    const { name, input, expected, expectedCode, outcome, ranAt } = test;
    // oxlint-disable-next-line no-await-in-loop -- few, in one transaction on one connection
    await tx`
      insert into transformation_tests (tenant_id, template_id, name, input, expected, expected_code, last_passed,
        last_message, last_run_at)
      values (${tenantId}, ${templateId}, ${name}, ${Buffer.from(input)},
        ${expected === null ? null : Buffer.from(expected)}, ${expectedCode}, ${outcome.passed}, ${outcome.message}, ${ranAt})
      on conflict (template_id, name) do update set input = excluded.input, expected = excluded.expected,
        expected_code = excluded.expected_code, last_passed = excluded.last_passed,
        last_message = excluded.last_message, last_run_at = excluded.last_run_at, updated_at = now()`;
  }
}

/** Notes how tests went. */
export async function saveTestOutcomes(
  tx: Transaction,
  tenantId: string,
  outcomes: readonly (TestOutcome & { id: string })[],
  ranAt: Date,
): Promise<void> {
  await tx`
    update transformation_tests t
    set last_passed = given.passed, last_message = given.message, last_run_at = ${ranAt}
    from unnest(${outcomes.map(({ id }) => id)}::text[]::uuid[], ${outcomes.map(({ passed }) => passed)}::boolean[],
      ${outcomes.map(({ message }) => message)}::text[]) as given(id, passed, message)
    where t.id = given.id and t.tenant_id = ${tenantId}`;
}
