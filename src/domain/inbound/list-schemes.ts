import { type Context, requireScope } from "../context.ts";
import { describeScheme } from "./describe-scheme.ts";
import type { SchemeDescription } from "./scheme-schema.ts";
import { SCHEMES } from "./schemes/registry.ts";

/** Every signature scheme that an endpoint can name, generic ones first; always one page. */
export function listSchemes(ctx: Context): { data: SchemeDescription[]; nextCursor: null } {
  requireScope(ctx, "webhooks:read");
  return { data: SCHEMES.map(describeScheme), nextCursor: null };
}
