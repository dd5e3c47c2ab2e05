import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError } from "../errors.ts";
import { announceChange } from "../announce-change.ts";
import { loadIntegration } from "../integrations/load-integration.ts";
import { buildUrl } from "../providers/build-url.ts";
import { newId } from "../../platform/uuid.ts";
import { insertCall } from "./call-store.ts";
import { templateOf } from "./call-through-templates.ts";
import { checkCallable } from "./call-run.ts";
import type { CallOptions } from "./call-options.ts";
import { upstreamOf } from "./upstream.ts";

/** Largest body of a call that is done later, and of its answer. */
export const ASYNC_BODY_BYTES_MAX = 10 * 1024 * 1024;
/** How long a call may wait for its turn when it names no time. */
const PATIENCE_MS = 3_600_000;

/** Kind of the message by which workers hear of a new call. */
export const GATEWAY_CALL_KIND = "gateway_call";

/**
 * Stores a call that its caller does not wait for. What can be told at once is told at once: an integration that lets no
 * calls through, or a path that leads nowhere.
 *
 * @throws HubError as `callProvider` does before its first try
 */
export async function enqueueCall(
  ctx: Context,
  input: {
    integrationId: string;
    method: string;
    target: string;
    headers: Readonly<Record<string, string>>;
    body: Uint8Array | undefined;
    options: CallOptions;
  },
): Promise<{ id: string; status: "QUEUED" }> {
  requireScope(ctx, "gateway:call");
  const { runtime, tenantId, actor } = ctx;
  const integration = await loadIntegration(ctx, input.integrationId);
  checkCallable(integration);
  const built = buildUrl(upstreamOf(runtime, integration).baseUrl, input.target);
  if (!built.ok) throw new HubError("path_invalid", `${built.message} (${built.code}).`);
  await templateOf(ctx, input.options.transformRequest, "Hub-Transform-Request");
  await templateOf(ctx, input.options.transformResponse, "Hub-Transform-Response");
  const nowMs = runtime.clock.nowMs();
  const id = newId(nowMs);
  await withTenant(ctx, async (tx) => {
    await insertCall(tx, {
      ...input,
      id,
      tenantId,
      actor: { type: actor.type, id: actor.id },
      correlationId: ctx.requestId,
      createdAt: new Date(nowMs),
      expiresAt: new Date(nowMs + (input.options.queueTimeoutMs ?? PATIENCE_MS)),
    });
    await emitAudit(tx, ctx, { verb: "gateway.enqueue", objectType: "gateway_call", objectId: id });
  });
  await announceChange(ctx, GATEWAY_CALL_KIND, id);
  return { id, status: "QUEUED" };
}
