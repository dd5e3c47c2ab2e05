import { type Context, requireScope, type Transaction, withTenant } from "../context.ts";
import { invalidInput, notFound } from "../errors.ts";
import { DOCUMENT_BYTES_MAX } from "../transformations/read-source.ts";
import { checkContent } from "../transformations/check-content.ts";
import {
  type LoadedTemplate,
  loadTemplate,
  type Recipe,
  recipeOf,
} from "../transformations/load-template.ts";
import type { ShadowInput, ShadowReport } from "../transformations/preview-schema.ts";
import { type ShadowDocument, shadowRun } from "../transformations/shadow-run.ts";
import { getTransformationRow } from "../transformations/store.ts";
import { RouteFailure } from "./route-failure.ts";
import {
  findUserTemplate,
  getShadowBody,
  listShadowEvents,
  listShadowReceipts,
  type ShadowReceiptRow,
} from "./shadow-store.ts";
import { readSourceBody, receiptContext } from "./transform-body.ts";

const DOCUMENTS_DEFAULT = 50;

type User = { endpointId: string } | { subscriptionId: string };

/**
 * Puts recent documents of an endpoint or a subscription through the version of a template that serves them and through
 * a new one, and tells where the outputs differ. Nothing is sent, stored or counted.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found` for the template, the endpoint or the subscription; 422
 * `invalid_input` for versions that there are not, and every fault of a content that is not stored
 */
export async function shadowTransformation(
  ctx: Context,
  input: ShadowInput & { id: string },
): Promise<ShadowReport> {
  requireScope(ctx, "transformations:read");
  requireScope(ctx, "webhooks:read");
  const { runtime, tenantId } = ctx;
  const user = userOf(input);
  const { baseline, code } = await withTenant(ctx, async (tx) => {
    const template = await getTransformationRow(tx, tenantId, input.id);
    const used = await findUserTemplate(tx, tenantId, user);
    if (template === undefined || used === undefined) throw notFound();
    const version = input.baseline ?? pinnedVersion(used.template, [template.id, template.code]);
    return { baseline: await versionOf(tx, tenantId, input.id, version, "/baseline"), code: template.code };
  });
  const candidate = await candidateOf(ctx, input, code);
  const documents = documentsOf(ctx, user, baseline, input.limit ?? DOCUMENTS_DEFAULT);
  const before = recipeOf(baseline, baseline.subMappings, shadowKey(tenantId));
  const report = await shadowRun(
    runtime,
    `shadow ${tenantId}`,
    { before, after: candidate.recipe },
    documents,
  );
  return { baselineVersion: baseline.version, candidateVersion: candidate.version, ...report };
}

let lastRun = 0;

/** Compiled once for the run. */
function shadowKey(tenantId: string): string {
  return `shadow ${tenantId} ${++lastRun}`;
}

function userOf({ endpointId, subscriptionId }: ShadowInput): User {
  if (endpointId !== undefined && subscriptionId === undefined) return { endpointId };
  if (subscriptionId !== undefined && endpointId === undefined) return { subscriptionId };
  throw invalidInput([{ path: "/endpointId", message: "one of endpointId and subscriptionId is needed" }]);
}

/** The number that the user pins, where it is this template that it names. */
function pinnedVersion(template: unknown, names: readonly string[]): number | undefined {
  const { template: name, version } = (template ?? {}) as { template?: unknown; version?: unknown };
  return typeof name === "string" && names.includes(name) && typeof version === "number"
    ? version
    : undefined;
}

async function versionOf(
  tx: Transaction,
  tenantId: string,
  id: string,
  version: number | undefined,
  path: string,
): Promise<LoadedTemplate> {
  const loaded = await loadTemplate(tx, tenantId, id, version);
  if (loaded === undefined) throw invalidInput([{ path, message: `there is no version ${version}` }]);
  return loaded;
}

async function candidateOf(
  ctx: Context,
  { id, candidate }: ShadowInput & { id: string },
  code: string,
): Promise<{ recipe: Recipe; version: number | null }> {
  const key = shadowKey(ctx.tenantId);
  if ("version" in candidate) {
    const { version } = candidate;
    const loaded = await withTenant(ctx, (tx) =>
      versionOf(tx, ctx.tenantId, id, version, "/candidate/version"),
    );
    return { recipe: recipeOf(loaded, loaded.subMappings, key), version };
  }
  const judged = await checkContent(ctx, candidate, code);
  if (!judged.ok)
    throw invalidInput(judged.faults.map(({ path, message }) => ({ path: `/candidate${path}`, message })));
  return { recipe: recipeOf(judged.checked.content, judged.checked.subMappings, key), version: null };
}

async function* documentsOf(
  ctx: Context,
  user: User,
  baseline: LoadedTemplate,
  limit: number,
): AsyncGenerator<ShadowDocument> {
  const { tenantId } = ctx;
  if ("endpointId" in user) {
    const rows = await withTenant(ctx, (tx) => listShadowReceipts(tx, tenantId, user.endpointId, limit));
    for (const row of rows) yield await receiptDocument(ctx, row, baseline);
    return;
  }
  const events = await withTenant(ctx, (tx) => listShadowEvents(tx, tenantId, user.subscriptionId, limit));
  for (const { id, type, occurredAt, data } of events) {
    const head = JSON.stringify({ id, type, timestamp: occurredAt.toISOString() }).slice(0, -1);
    const bytes = Buffer.from(`${head},"data":${data}}`);
    yield { id, source: { bytes }, context: { values: { eventId: id, eventType: type } } };
  }
}

/** Bodies are read one by one: all of them together may be more than the process has memory for. */
async function receiptDocument(
  ctx: Context,
  row: ShadowReceiptRow,
  { sourceFormat }: LoadedTemplate,
): Promise<ShadowDocument> {
  const { id, bodySize } = row;
  const body =
    bodySize > DOCUMENT_BYTES_MAX ? null : await withTenant(ctx, (tx) => getShadowBody(tx, ctx.tenantId, id));
  const context = { values: receiptContext(row) };
  const carrier = {
    contentType: row.contentType ?? undefined,
    contentEncoding: row.contentEncoding ?? undefined,
  };
  if (body === null) return { id, source: undefined, context };
  try {
    return { id, source: await readSourceBody(sourceFormat, carrier, body), context };
  } catch (error) {
    if (error instanceof RouteFailure) return { id, source: undefined, context };
    throw error;
  }
}
