import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { invalidInput, notFound } from "../errors.ts";
import { loadTemplate } from "./load-template.ts";
import { runTests } from "./run-tests.ts";
import { getTransformationRow } from "./store.ts";
import { listTestRows, saveTestOutcomes } from "./test-store.ts";
import type { RunTestsInput, TestRun } from "./transformation-schema.ts";

/**
 * Runs the test cases of a template against one of its versions. How the newest version did is kept with each test.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 422 `invalid_input` for a version that there is not; 503
 * `unavailable` when they take too long
 */
export async function tryTests(ctx: Context, input: RunTestsInput & { id: string }): Promise<TestRun> {
  requireScope(ctx, "transformations:write");
  const { runtime, tenantId } = ctx;
  const { row, loaded, tests } = await withTenant(ctx, async (tx) => {
    const found = await getTransformationRow(tx, tenantId, input.id);
    if (found === undefined) throw notFound();
    const version = await loadTemplate(tx, tenantId, input.id, input.version);
    if (version === undefined)
      throw invalidInput([{ path: "/version", message: `there is no version ${input.version}` }]);
    return { row: found, loaded: version, tests: await listTestRows(tx, tenantId, input.id) };
  });
  const { subMappings } = loaded;
  const results = await runTests(runtime, tenantId, { content: loaded, subMappings }, tests);
  if (row.tenantId !== null && loaded.version === row.version) {
    await withTenant(ctx, async (tx) => {
      const outcomes = results.map(({ outcome }, index) => ({ ...outcome, id: tests[index]!.id }));
      await saveTestOutcomes(tx, tenantId, outcomes, new Date(runtime.clock.nowMs()));
      await emitAudit(tx, ctx, {
        verb: "transformation.run_tests",
        objectType: "transformation",
        objectId: input.id,
      });
    });
  }
  return {
    passed: results.every(({ outcome }) => outcome.passed),
    version: loaded.version,
    results: results.map(({ name, outcome }) => ({ name, ...outcome })),
  };
}
