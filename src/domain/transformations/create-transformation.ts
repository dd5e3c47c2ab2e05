import { newId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, invalidInput } from "../errors.ts";
import { isUuid } from "../../platform/uuid.ts";
import { announceTransformation } from "./announce-transformation.ts";
import { checkContent } from "./check-content.ts";
import { readTransformation } from "./get-transformation.ts";
import { readTests, runTests, testFailures } from "./run-tests.ts";
import { insertTransformation, insertVersion } from "./store.ts";
import { replaceTestRows } from "./test-store.ts";
import type { CreateTransformationInput, TransformationDetail } from "./transformation-schema.ts";

/**
 * Creates a template with its version 1. Its test cases have to pass.
 *
 * @throws HubError 403 `forbidden`; 409 `conflict` for a code that the tenant has already; 422 `invalid_input` with every
 * fault of the mapping by JSON pointer, or each test that fails
 */
export async function createTransformation(
  ctx: Context,
  input: CreateTransformationInput,
): Promise<TransformationDetail> {
  requireScope(ctx, "transformations:write");
  const { runtime, tenantId } = ctx;
  if (isUuid(input.code)) throw invalidInput([{ path: "/code", message: "must not have the form of an id" }]);
  const judged = await checkContent(ctx, input, input.code);
  if (!judged.ok) throw invalidInput(judged.faults, "The mapping is not valid.");
  const { checked } = judged;
  const tests = readTests(input.tests ?? [], checked.content);
  const results = await runTests(runtime, tenantId, checked, tests);
  const failures = testFailures(results);
  if (failures.length > 0) throw invalidInput(failures, "Tests of the template fail.");
  const id = newId(runtime.clock.nowMs());
  const createdBy = ctx.actor.id;
  const made = await withTenant(ctx, async (tx) => {
    const head = {
      id,
      tenantId,
      code: input.code,
      name: input.name,
      description: input.description ?? null,
      category: input.category ?? null,
      isActive: input.isActive ?? true,
      createdBy,
      ...checked.content,
    };
    if (!(await insertTransformation(tx, head)))
      throw new HubError("conflict", `There is a template with the code ${input.code} already.`);
    await insertVersion(tx, head, 1, {
      ...checked.content,
      note: input.note ?? null,
      restoredFrom: null,
      subTemplates: checked.subTemplates,
      createdBy,
    });
    await replaceTestRows(tx, tenantId, id, results);
    await emitAudit(tx, ctx, {
      verb: "transformation.create",
      objectType: "transformation",
      objectId: id,
      changedFields: Object.keys(input),
    });
    return readTransformation(tx, tenantId, id);
  });
  await announceTransformation(ctx);
  return made;
}
