import type { Context } from "../context.ts";
import { loadIntegration, openCredentials } from "../integrations/load-integration.ts";
import type { CallEnd } from "./call-store.ts";
import { proofOf, upstreamOf } from "./upstream.ts";

type StoredAnswer = NonNullable<CallEnd["response"]>;

/**
 * An answer as it is stored for later: one that repeats the integration's credential loses it, because it is kept in the
 * clear and goes to subscribers. Who waits for an answer gets it unchanged.
 *
 * @throws HubError 404 `not_found` when the integration is gone
 */
export async function withoutCredential(
  ctx: Context,
  integrationId: string,
  answer: StoredAnswer,
): Promise<StoredAnswer> {
  const integration = await loadIntegration(ctx, integrationId);
  const { config } = upstreamOf(ctx.runtime, integration);
  const { hide, hideIn } = proofOf(integration, await openCredentials(ctx, integration), config);
  const headers = Object.entries(answer.headers).map(([name, value]) => [name, hide(value)] as const);
  return {
    ...answer,
    headers: Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(headers)),
    body: hideIn(answer.body),
  };
}
