import { type Context, requireScope, withTenant } from "../context.ts";
import { invalidInput, notFound } from "../errors.ts";
import { createTransformation } from "./create-transformation.ts";
import { presentTest } from "./present-transformation.ts";
import { getTransformationRow, getVersionRow } from "./store.ts";
import { listTestRows } from "./test-store.ts";
import type { CloneInput, TestInput, TransformationDetail } from "./transformation-schema.ts";

/**
 * Copies a template that the tenant sees, a system template too, with its tests, into one of its own that it can change.
 *
 * @throws HubError as `createTransformation`; 404 `not_found`
 */
export async function cloneTransformation(
  ctx: Context,
  input: CloneInput & { id: string },
): Promise<TransformationDetail> {
  requireScope(ctx, "transformations:write");
  const { tenantId } = ctx;
  const { row, content, tests } = await withTenant(ctx, async (tx) => {
    const found = await getTransformationRow(tx, tenantId, input.id);
    if (found === undefined) throw notFound();
    const version = input.version ?? found.version;
    const copied = await getVersionRow(tx, tenantId, input.id, version);
    if (copied === undefined)
      throw invalidInput([{ path: "/version", message: `there is no version ${version}` }]);
    // Tests fit the newest version: an older one may fail those that came later.
    const kept = version === found.version ? await listTestRows(tx, tenantId, input.id) : [];
    return { row: found, content: copied, tests: kept };
  });
  return createTransformation(ctx, {
    code: input.code,
    name: input.name ?? row.name,
    description: row.description,
    category: row.category,
    sourceFormat: content.sourceFormat,
    targetFormat: content.targetFormat,
    mappingRules: content.mappingRules,
    validationRules: content.validationRules,
    tests: tests.map((test): TestInput => {
      const { name, input: text, inputEncoding, expected, expectedCode } = presentTest(test);
      return {
        name,
        input: text,
        inputEncoding,
        ...(expected === null ? {} : { expected }),
        expectedCode,
      };
    }),
    note: `Copy of ${row.code} version ${content.version}`,
  });
}
