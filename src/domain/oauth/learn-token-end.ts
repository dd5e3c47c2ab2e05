import { getPointer } from "../../platform/json/pointer.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { announceTokens } from "../integrations/announce-integration.ts";
import { integrationCacheOf } from "../integrations/integration-cache.ts";
import { saveTokenEnd } from "../integrations/token-store.ts";
import type { OAuth2CodeAuth } from "../providers/auth-schema.ts";
import { tokenCallRequest } from "../providers/token-request.ts";
import type { TokenOwner } from "./obtain-tokens.ts";
import { exchangeToken } from "./token-exchange.ts";
import { tokenTimes } from "./token-times.ts";

/** Nobody waits longer for what is only good to know. */
const TIMEOUT_MS = 3_000;

/**
 * Asks the provider when an access token ends (RFC 7662) whose answer did not say so. To be called once the tokens are
 * stored: until an answer comes, and when none comes, the manifest's default life counts.
 *
 * @param input.version of the tokens that were stored
 */
export async function learnTokenEnd(
  runtime: Runtime,
  owner: TokenOwner,
  auth: OAuth2CodeAuth,
  input: { values: Readonly<Record<string, string>>; version: number },
): Promise<void> {
  const { introspect } = auth;
  const { values, version } = input;
  const { integrationId: id, manifest, environment, config } = owner;
  const token = values[introspect?.token === "refresh" ? "refreshToken" : "accessToken"];
  if (introspect === undefined || token === undefined) return;
  const credentials = { ...owner.credentials, ...values, token };
  const rendered = tokenCallRequest(manifest, introspect, { environment, config, credentials });
  const { outcome, conclude } = await exchangeToken(runtime, { ...owner, credentials }, rendered, {
    deadlineMs: performance.now() + TIMEOUT_MS,
    mayStart: () => true,
  });
  if ("kind" in outcome) return conclude(outcome);
  const nowMs = runtime.clock.nowMs();
  const end = getPointer(outcome.document, "/exp");
  const isTold = outcome.status < 300 && typeof end === "number" && end * 1_000 > nowMs;
  const message = `The introspection endpoint answered ${outcome.status} and no end of the token`;
  conclude(isTold ? undefined : { kind: "outage", code: "token_end_unknown", message });
  if (!isTold) return;
  const isRenewable = values["refreshToken"] !== undefined;
  const times = tokenTimes(auth, { nowMs, expiresInMs: end * 1_000 - nowMs, isRenewable });
  await saveTokenEnd(runtime.sqlSystem, { id, version, ...times });
  integrationCacheOf(runtime).invalidate(id);
  await announceTokens(runtime, id);
}
