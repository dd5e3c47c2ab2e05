import { type Context, requireScope, withTenant } from "../context.ts";
import type { FieldError } from "../errors.ts";
import { jsonataPoolOf } from "./runtime-pool.ts";
import type { ExpressionTemplate, StoredTemplate, TransformTemplate } from "./schema.ts";
import { findVersion } from "./store.ts";
import type { DocumentFormat } from "./transformation-schema.ts";

/** What the place where a template is named asks of it. */
export interface TemplatePlace {
  /** JSON pointer of the template in the request body. */
  at?: string;
  /** The only source that comes there. */
  sourceFormat?: DocumentFormat;
  /** The only target that is understood there, and why. */
  targetFormat?: { format: DocumentFormat; because: string };
}

/**
 * Checks a template when an endpoint or a subscription is saved: an expression must compile; a stored one must exist in
 * that version, be switched on, and read and write what its place has.
 *
 * @returns the faults; none when it can be saved
 * @throws HubError 403 `forbidden` for whoever may not save endpoints and subscriptions
 */
export async function checkTemplate(
  ctx: Context,
  template: TransformTemplate,
  place: TemplatePlace = {},
): Promise<FieldError[]> {
  const at = place.at ?? "/transformTemplate";
  return "expression" in template
    ? checkExpression(ctx, template, at)
    : checkStored(ctx, template, { ...place, at });
}

async function checkExpression(
  ctx: Context,
  { expression }: ExpressionTemplate,
  at: string,
): Promise<FieldError[]> {
  const check = await jsonataPoolOf(ctx.runtime).checkExpression(expression);
  if (check.ok) return [];
  const where = check.position >= 0 ? ` (at character ${check.position})` : "";
  return [{ path: `${at}/expression`, message: check.message + where }];
}

async function checkStored(
  ctx: Context,
  { template, version = "latest" }: StoredTemplate,
  { at, sourceFormat, targetFormat }: TemplatePlace & { at: string },
): Promise<FieldError[]> {
  requireScope(ctx, "webhooks:write");
  const number = version === "latest" ? undefined : version;
  const { newest, row } = await withTenant(ctx, async (tx) => {
    const found = await findVersion(tx, ctx.tenantId, template, undefined);
    const named = number === undefined ? found : await findVersion(tx, ctx.tenantId, template, number);
    return { newest: found, row: named };
  });
  if (newest === undefined)
    return [
      { path: `${at}/template`, message: `transformation_not_found: there is no template "${template}"` },
    ];
  if (row === undefined)
    return [
      {
        path: `${at}/version`,
        message: `transformation_not_found: "${template}" has no version ${version}; the newest is ${newest.version}`,
      },
    ];
  const faults: FieldError[] = [];
  const fault = (message: string): number => faults.push({ path: `${at}/template`, message });
  if (!row.isActive) fault(`transformation_inactive: "${template}" is switched off`);
  if (sourceFormat !== undefined && row.sourceFormat !== sourceFormat)
    fault(`reads ${row.sourceFormat}, but ${sourceFormat} comes here`);
  if (targetFormat !== undefined && row.targetFormat !== targetFormat.format)
    fault(`writes ${row.targetFormat}, but ${targetFormat.because} needs ${targetFormat.format}`);
  return faults;
}
