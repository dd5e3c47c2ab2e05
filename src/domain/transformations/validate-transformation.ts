import { type Context, requireScope } from "../context.ts";
import { checkContent } from "./check-content.ts";
import type { Validation, ValidateInput } from "./preview-schema.ts";

/**
 * Every fault of a mapping at once, as a save would find them.
 *
 * @throws HubError 403 `forbidden`
 */
export async function validateTransformation(ctx: Context, input: ValidateInput): Promise<Validation> {
  requireScope(ctx, "transformations:read");
  const { code, ...content } = input;
  const judged = await checkContent(ctx, content, code);
  const faults = judged.ok ? [] : judged.faults;
  return { valid: judged.ok, faults };
}
