import type { Runtime } from "../../platform/runtime.ts";
import type { TokenRequestAuth } from "../providers/auth-schema.ts";
import type { Values } from "../providers/fill-template.ts";
import type { Environment, ProviderManifest } from "../providers/manifest-schema.ts";
import { readCaptured, secretPlaces, spanAt } from "../providers/read-token-answer.ts";
import { type Grant, tokenRequest, tokenStepRequest } from "../providers/token-request.ts";
import { judgeRefusal, judgeTokenAnswer, SENDABLE_TOKEN, type TokenResult } from "./judge-token-answer.ts";
import { type ExchangeOwner, exchangeToken, type Sending, TOKEN_TIMEOUT_MS } from "./token-exchange.ts";
import type { TokenAuth } from "./token-times.ts";

/** Whose tokens are asked for. */
export interface TokenOwner extends ExchangeOwner {
  manifest: ProviderManifest;
  auth: TokenAuth;
  environment: Environment;
  /** Open fields, the derived ones too. */
  config: Values;
  /** Secret fields, and one-time ones where there are some. */
  credentials: Readonly<Record<string, string>>;
}

/** How a token is asked for; `steps` is a log-in that is no OAuth. */
export type TokenGrant = Grant | { type: "steps" };

/**
 * Asks the provider for tokens: one request, or the steps of a log-in that is no OAuth. Requests go out by the hub's
 * sender: only to the addresses of the integration's environment, redirects are refused, answers are bounded.
 *
 * @param mayStart asked at the last moment: false when the right to ask was lost meanwhile
 * @returns what the provider gave, or why not. Never throws for what the provider does.
 */
export async function obtainTokens(
  runtime: Runtime,
  owner: TokenOwner,
  grant: TokenGrant,
  mayStart: () => boolean = () => true,
): Promise<TokenResult> {
  const deadlineMs = performance.now() + TOKEN_TIMEOUT_MS;
  const { auth, manifest } = owner;
  if (auth.type === "TOKEN_REQUEST") return runSteps(runtime, owner, auth, { deadlineMs, mayStart });
  if (grant.type === "steps") throw new Error("Steps are for TOKEN_REQUEST alone");
  const rendered = tokenRequest(manifest, auth, grant, valuesOf(owner));
  const secretsAt = secretPlaces(auth.token.answer);
  const { outcome, conclude } = await exchangeToken(runtime, owner, rendered, {
    deadlineMs,
    mayStart,
    secretsAt,
  });
  const result: TokenResult =
    "kind" in outcome
      ? { ok: false, fault: outcome }
      : judgeTokenAnswer(auth, outcome, runtime.clock.nowMs());
  conclude(result.ok ? undefined : result.fault);
  return result;
}

/** Whether tokens can be had without a person: everything that the log-in asks for is stored. */
export function canMint(owner: TokenOwner): boolean {
  const { auth, manifest } = owner;
  switch (auth.type) {
    case "OAUTH2_CODE":
      return false;
    case "TOKEN_REQUEST":
      return tokenStepRequest(manifest, auth, 0, valuesOf(owner)).ok;
    default:
      return tokenRequest(manifest, auth, mintGrant(auth) as Grant, valuesOf(owner)).ok;
  }
}

/** The grant of a machine's log-in. */
export function mintGrant(auth: TokenAuth): TokenGrant {
  if (auth.type === "TOKEN_REQUEST") return { type: "steps" };
  return { type: auth.type === "OAUTH2_PASSWORD" ? "password" : "client_credentials" };
}

/** Without the log-in itself: a request for a token carries none. */
function valuesOf({ environment, config, credentials }: TokenOwner) {
  return { environment, config, credentials };
}

async function runSteps(
  runtime: Runtime,
  owner: TokenOwner,
  auth: TokenRequestAuth,
  sending: Sending,
): Promise<TokenResult> {
  const values: Record<string, string> = {};
  let expiresInMs: number | undefined;
  for (const at of auth.steps.keys()) {
    const known = { ...owner, credentials: { ...owner.credentials, ...values } };
    // oxlint-disable-next-line no-await-in-loop -- each step needs the one before
    const step = await runStep(runtime, known, auth, { ...sending, at });
    if (!step.ok) return step.result;
    Object.assign(values, step.captured);
    expiresInMs = step.expiresInMs;
  }
  if (!SENDABLE_TOKEN.test(values["accessToken"] ?? "")) {
    const message = "The access token cannot stand in a header";
    return { ok: false, fault: { kind: "outage", code: "token_unusable", message } };
  }
  return { ok: true, tokens: { values, expiresInMs, derived: {} } };
}

async function runStep(
  runtime: Runtime,
  owner: TokenOwner,
  auth: TokenRequestAuth,
  { at, ...sending }: Sending & { at: number },
): Promise<
  | { ok: true; captured: Record<string, string>; expiresInMs: number | undefined }
  | { ok: false; result: Extract<TokenResult, { ok: false }> }
> {
  const { name, capture, expires } = auth.steps[at]!;
  const rendered = tokenStepRequest(owner.manifest, auth, at, valuesOf(owner));
  const { outcome, conclude } = await exchangeToken(runtime, owner, rendered, {
    ...sending,
    secretsAt: Object.values(capture),
  });
  const failed = (result: Extract<TokenResult, { ok: false }>) => {
    conclude(result.fault);
    return { ok: false, result } as const;
  };
  if ("kind" in outcome) return failed({ ok: false, fault: outcome });
  const { status, document } = outcome;
  if (status < 200 || status > 299) return failed(judgeRefusal(outcome));
  const captured = readCaptured(capture, document);
  const missing = Object.keys(capture).find((wanted) => captured[wanted] === undefined);
  if (missing !== undefined) {
    const message = `The answer of step "${name}" holds no ${missing}`;
    return failed({ ok: false, status, fault: { kind: "outage", code: "token_missing", message } });
  }
  conclude(undefined);
  const expiresInMs = expires === undefined ? undefined : spanAt(document, expires, runtime.clock.nowMs());
  return { ok: true, captured, expiresInMs };
}
