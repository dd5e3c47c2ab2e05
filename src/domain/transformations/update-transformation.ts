import { isDeepStrictEqual } from "node:util";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, type Transaction, withTenant } from "../context.ts";
import { HubError, invalidInput, notFound } from "../errors.ts";
import { announceTransformation } from "./announce-transformation.ts";
import { checkContent, type CheckedContent } from "./check-content.ts";
import { readTransformation } from "./get-transformation.ts";
import { readTests, runTests, testFailures, type TestResult } from "./run-tests.ts";
import {
  getTransformationRow,
  insertVersion,
  lockTransformationRow,
  type TransformationChanges,
  type TransformationRow,
  updateTransformationRow,
  type VersionContent,
} from "./store.ts";
import { systemTemplate } from "./system-template.ts";
import { listTestRows, replaceTestRows } from "./test-store.ts";
import type { TransformationDetail, UpdateTransformationInput } from "./transformation-schema.ts";
import { listTemplateUsers } from "./usage-store.ts";

/**
 * Changes the fields present; null resets. A change of formats, mapping or validation makes the next version, which
 * everybody who follows the newest uses at once: its test cases have to pass before.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `conflict` for a system template and when a newer version than
 * `version` stands, `in_use` for other formats while somebody follows the newest version; 422 `invalid_input` with every
 * fault of the mapping by JSON pointer, or each test that fails
 */
export async function updateTransformation(
  ctx: Context,
  input: { id: string; changes: UpdateTransformationInput },
): Promise<TransformationDetail> {
  requireScope(ctx, "transformations:write");
  const { runtime, tenantId } = ctx;
  const { id, changes } = input;
  const { row, storedTests } = await withTenant(ctx, async (tx) => {
    const found = await getTransformationRow(tx, tenantId, id);
    if (found === undefined) throw notFound();
    if (found.tenantId === null) throw systemTemplate(found.code);
    return { row: found, storedTests: await listTestRows(tx, tenantId, id) };
  });
  if (changes.version !== undefined && changes.version !== row.version) throw outdated(row.version);
  const content = wantedContent(row, changes);
  const isNewVersion = !isDeepStrictEqual(content, contentOf(row));
  const judged = await checkContent(ctx, content as never, row.code);
  // A template that nobody changes may have been broken by a change of another one: renaming it is no fault.
  if (!judged.ok && (isNewVersion || changes.tests !== undefined))
    throw invalidInput(judged.faults, "The mapping is not valid.");
  const tests =
    changes.tests === undefined
      ? isNewVersion
        ? storedTests
        : undefined
      : readTests(changes.tests, content);
  const results =
    judged.ok && tests !== undefined ? await runTests(runtime, tenantId, judged.checked, tests) : undefined;
  const failures = testFailures(results ?? []);
  if (failures.length > 0) throw invalidInput(failures, "Tests of the template fail.");
  const changed = await withTenant(ctx, async (tx) => {
    const current = await lockTransformationRow(tx, tenantId, id);
    if (current === undefined) throw notFound();
    if (current.version !== row.version) throw outdated(current.version);
    await refuseOtherFormats(tx, current, content);
    const names = await writeChanges(ctx, tx, {
      row: current,
      changes,
      checked: isNewVersion && judged.ok ? judged.checked : undefined,
      results,
    });
    if (names.length > 0)
      await emitAudit(tx, ctx, {
        verb: "transformation.update",
        objectType: "transformation",
        objectId: id,
        changedFields: names,
      });
    return readTransformation(tx, tenantId, id);
  });
  await announceTransformation(ctx);
  return changed;
}

function outdated(version: number): HubError {
  return new HubError("conflict", `There is a version ${version} by now; look at it first.`);
}

function contentOf({
  sourceFormat,
  targetFormat,
  mappingRules,
  validationRules,
}: VersionContent): VersionContent {
  return { sourceFormat, targetFormat, mappingRules, validationRules };
}

function wantedContent(row: TransformationRow, changes: UpdateTransformationInput): VersionContent {
  const { sourceFormat, targetFormat, mappingRules, validationRules } = changes;
  return {
    sourceFormat: sourceFormat ?? row.sourceFormat,
    targetFormat: targetFormat ?? row.targetFormat,
    mappingRules: (mappingRules as VersionContent["mappingRules"] | undefined) ?? row.mappingRules,
    validationRules:
      validationRules === undefined
        ? row.validationRules
        : (validationRules as VersionContent["validationRules"]),
  };
}

/** Who follows the newest version relies on its formats: events are JSON, a partner sends what it sends. */
async function refuseOtherFormats(
  tx: Transaction,
  current: TransformationRow,
  wanted: VersionContent,
): Promise<void> {
  if (current.sourceFormat === wanted.sourceFormat && current.targetFormat === wanted.targetFormat) return;
  const users = await listTemplateUsers(tx, current.tenantId!, current);
  const following = users.filter(({ version }) => version === null);
  if (following.length === 0) return;
  const names = following.slice(0, 5).map(({ kind, name }) => `${kind} ${name}`);
  throw new HubError(
    "in_use",
    `Its formats cannot change while ${names.join(", ")} follow the newest version.`,
  );
}

/** @returns names of the fields that changed */
async function writeChanges(
  ctx: Context,
  tx: Transaction,
  wanted: {
    row: TransformationRow;
    changes: UpdateTransformationInput;
    checked: CheckedContent | undefined;
    results: TestResult[] | undefined;
  },
): Promise<string[]> {
  const { row, changes, checked, results } = wanted;
  const head: TransformationChanges = {};
  if (changes.name !== undefined && changes.name !== row.name) head.name = changes.name;
  for (const field of ["description", "category"] as const) {
    const value = changes[field];
    if (value !== undefined && value !== row[field]) head[field] = value;
  }
  if (changes.isActive !== undefined && changes.isActive !== row.isActive) head.isActive = changes.isActive;
  if (checked !== undefined) {
    Object.assign(head, checked.content, { version: row.version + 1 });
    await insertVersion(tx, { id: row.id, tenantId: row.tenantId! }, row.version + 1, {
      ...checked.content,
      note: changes.note ?? null,
      restoredFrom: null,
      subTemplates: checked.subTemplates,
      createdBy: ctx.actor.id,
    });
  }
  if (results !== undefined) await replaceTestRows(tx, ctx.tenantId, row.id, results);
  const names = Object.keys(head).filter(
    (field) => !isDeepStrictEqual(head[field as keyof typeof head], row[field as keyof TransformationRow]),
  );
  if (names.length > 0) await updateTransformationRow(tx, ctx.tenantId, row.id, head);
  return changes.tests === undefined ? names : [...names, "tests"];
}
