import { type Context, requireScope, withTenant } from "../../context.ts";
import { type Page, pageOf, type PageInput, readCursor } from "../../pagination.ts";
import { readTimes } from "../../read-times.ts";
import { presentRejection } from "./present-rejection.ts";
import type { Rejection } from "./rejection-schema.ts";
import { listRejectionRows } from "./rejection-store.ts";

/** Filters of a list of rejections; `from` (included) and `to` (not included) as in RFC 3339, on the time of receipt. */
export interface ListRejectionsInput extends PageInput {
  endpointId?: string | undefined;
  code?: string | undefined;
  cause?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
}

/**
 * A page of the tenant's samples of refused requests, newest first.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a cursor that is none of ours or a time that is none
 */
export async function listRejections(ctx: Context, input: ListRejectionsInput): Promise<Page<Rejection>> {
  requireScope(ctx, "webhooks:read");
  const { limit, beforeId } = readCursor(input);
  const { endpointId, code, cause } = input;
  const filter = { endpointId, code, cause, ...readTimes(input) };
  const rows = await withTenant(ctx, (tx) =>
    listRejectionRows(tx, ctx.tenantId, { limit: limit + 1, beforeId }, filter),
  );
  return pageOf(rows, limit, presentRejection);
}
