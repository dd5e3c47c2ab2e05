import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError } from "../errors.ts";
import { announceChange } from "../announce-change.ts";
import { loadIntegration } from "../integrations/load-integration.ts";
import { buildUrl } from "../providers/build-url.ts";
import { newId } from "../../platform/uuid.ts";
import { insertCall } from "./call-store.ts";
import type { ReadyTemplate } from "../transformations/template-cache.ts";
import { templateOf, withTransformedBody } from "./call-through-templates.ts";
import { checkCallable } from "./call-run.ts";
import type { CallOptions } from "./call-options.ts";
import { upstreamOf } from "./upstream.ts";

/** Largest body of a call that is done later, and of its answer. */
export const ASYNC_BODY_BYTES_MAX = 10 * 1024 * 1024;
/** How long a call may wait for its turn when it names no time. */
const PATIENCE_MS = 3_600_000;

/** Kind of the message by which workers hear of a new call. */
export const GATEWAY_CALL_KIND = "gateway_call";

/** A call as it is to be stored. */
interface EnqueuedCall {
  integrationId: string;
  method: string;
  target: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array | undefined;
  options: CallOptions;
}

/**
 * Stores a call that its caller does not wait for. What can be told at once is told at once: an integration that lets no
 * calls through, a path that leads nowhere, or a body that does not fit its template.
 *
 * @throws HubError as `callThroughTemplates` does before its first try
 */
export async function enqueueCall(
  ctx: Context,
  input: EnqueuedCall,
): Promise<{ id: string; status: "QUEUED" }> {
  requireScope(ctx, "gateway:call");
  const { runtime, tenantId, actor } = ctx;
  const integration = await loadIntegration(ctx, input.integrationId);
  checkCallable(integration);
  const built = buildUrl(upstreamOf(runtime, integration).baseUrl, input.target);
  if (!built.ok) throw new HubError("path_invalid", `${built.message} (${built.code}).`);
  const template = await templateOf(ctx, input.options.transformRequest, "Hub-Transform-Request");
  await templateOf(ctx, input.options.transformResponse, "Hub-Transform-Response");
  const call = template === undefined ? input : await transformedNow(ctx, input, template);
  const nowMs = runtime.clock.nowMs();
  const id = newId(nowMs);
  await withTenant(ctx, async (tx) => {
    await insertCall(tx, {
      ...call,
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

/** With its body as it will be sent; one whose template rests stays as it is, and the worker comes back to it. */
async function transformedNow(
  ctx: Context,
  input: EnqueuedCall,
  template: ReadyTemplate,
): Promise<EnqueuedCall> {
  try {
    const { transformRequest: _done, ...options } = input.options;
    return { ...(await withTransformedBody(ctx, input, template)), options };
  } catch (error) {
    if (error instanceof HubError && error.code === "unavailable") return input;
    throw error;
  }
}
