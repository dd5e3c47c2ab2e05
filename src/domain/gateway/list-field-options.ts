import { type Context, requireScope } from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { loadIntegration } from "../integrations/load-integration.ts";
import { ensureFreshToken } from "../oauth/ensure-fresh-token.ts";
import { parseAnswer } from "../providers/parse-answer.ts";
import { type FieldOption, readOptions } from "../providers/read-options.ts";
import { renderRequest } from "../providers/request-template.ts";
import { connectionDoor } from "./connection-door.ts";
import { ConnectionRequests } from "./connection-request.ts";

const TIMEOUT_MS = 10_000;

/**
 * What the provider offers for a field, such as the accounts that a log-in reaches: one request with the integration's
 * credential, within its limits.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found` also for a field without a list; 409 `reauthorization_required`; 429 or
 * 503 when nothing goes out now; 502 `upstream_failed` when the provider gives no list
 */
export async function listFieldOptions(
  ctx: Context,
  input: { id: string; field: string },
): Promise<FieldOption[]> {
  requireScope(ctx, "integrations:write");
  const { runtime, tenantId } = ctx;
  const loaded = await loadIntegration(ctx, input.id);
  const options = loaded.manifest.fields.find(({ name }) => name === input.field)?.options;
  if (options === undefined) throw notFound();
  const { integration, credentials } = await ensureFreshToken(ctx, loaded);
  const { manifest, auth } = integration;
  const requests = new ConnectionRequests(
    runtime,
    {
      tenantId,
      integrationId: input.id,
      manifest,
      correlationId: ctx.requestId,
      door: connectionDoor(runtime, integration, "normal"),
    },
    Object.values(credentials),
  );
  const rendered = renderRequest(manifest, options.request, { ...integration, credentials, auth });
  const { answer, verdict } = await requests.send("options", rendered, performance.now() + TIMEOUT_MS);
  await requests.writeLogs();
  const found = answer === undefined ? undefined : readOptions(options, parseAnswer(answer));
  if (found !== undefined && verdict === undefined) return found;
  const reason = verdict === undefined ? "The answer holds no list" : requests.redactor.text(verdict.message);
  throw new HubError("upstream_failed", `${verdict?.code ?? "unexpected_answer"}: ${reason}.`);
}
