import { retryAfterSeconds } from "../../platform/egress/retry-after.ts";
import { senderOf } from "../../platform/egress/runtime-sender.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { TokenRequestAuth } from "../providers/auth-schema.ts";
import type { Values } from "../providers/fill-template.ts";
import type { Environment, ProviderManifest } from "../providers/manifest-schema.ts";
import { readCaptured, spanAt } from "../providers/read-token-answer.ts";
import type { RenderOutcome } from "../providers/request-template.ts";
import { type Grant, tokenRequest, tokenStepRequest } from "../providers/token-request.ts";
import {
  judgeRefusal,
  judgeTokenAnswer,
  SENDABLE_TOKEN,
  type TokenAnswerInput,
  type TokenFault,
  type TokenResult,
} from "./judge-token-answer.ts";
import type { TokenAuth } from "./token-times.ts";

/** Time for everything that getting a token takes, several steps included. */
export const TOKEN_TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 64 * 1_024;

/** Whose tokens are asked for. */
export interface TokenOwner {
  integrationId: string;
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
  const answer = await send(runtime, owner, rendered, { deadlineMs, mayStart });
  if ("kind" in answer) return { ok: false, fault: answer };
  return judgeTokenAnswer(auth, answer, runtime.clock.nowMs());
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

interface Sending {
  deadlineMs: number;
  mayStart(): boolean;
}

async function runSteps(
  runtime: Runtime,
  owner: TokenOwner,
  auth: TokenRequestAuth,
  sending: Sending,
): Promise<TokenResult> {
  const values: Record<string, string> = {};
  let expiresInMs: number | undefined;
  for (const [at, step] of auth.steps.entries()) {
    const input = valuesOf({ ...owner, credentials: { ...owner.credentials, ...values } });
    const rendered = tokenStepRequest(owner.manifest, auth, at, input);
    // oxlint-disable-next-line no-await-in-loop -- each step needs the one before
    const answer = await send(runtime, owner, rendered, sending);
    if ("kind" in answer) return { ok: false, fault: answer };
    if (answer.status < 200 || answer.status > 299) return judgeRefusal(answer);
    const captured = readCaptured(step.capture, answer.document);
    const missing = Object.keys(step.capture).find((name) => captured[name] === undefined);
    if (missing !== undefined) {
      const message = `The answer of step "${step.name}" holds no ${missing}`;
      return { ok: false, status: answer.status, fault: { kind: "outage", code: "token_missing", message } };
    }
    Object.assign(values, captured);
    expiresInMs =
      step.expires === undefined ? undefined : spanAt(answer.document, step.expires, runtime.clock.nowMs());
  }
  if (!SENDABLE_TOKEN.test(values["accessToken"] ?? "")) {
    const message = "The access token cannot stand in a header";
    return { ok: false, fault: { kind: "outage", code: "token_unusable", message } };
  }
  return { ok: true, tokens: { values, expiresInMs, derived: {} } };
}

/** Sends one rendered request and reads what came. */
export async function send(
  runtime: Runtime,
  owner: Pick<TokenOwner, "integrationId">,
  rendered: RenderOutcome,
  { deadlineMs, mayStart }: Sending,
): Promise<TokenAnswerInput | TokenFault> {
  if (!rendered.ok) return { kind: "refused", code: rendered.code, message: rendered.message };
  const { request } = rendered;
  const result = await senderOf(runtime).send({
    key: `oauth:${owner.integrationId}`,
    url: request.url,
    policy: "public",
    method: request.method,
    headers: request.headers,
    ...(request.body === undefined ? {} : { body: request.body }),
    timeoutMs: Math.max(1, deadlineMs - performance.now()),
    responseBytesMax: ANSWER_BYTES_MAX,
    fresh: true,
    mayStart,
  });
  switch (result.kind) {
    case "response": {
      const waitSeconds = retryAfterSeconds(result.headers.get("retry-after"), runtime.clock.nowMs());
      return {
        status: result.status,
        document: parse(result.body),
        retryAfterMs: waitSeconds === undefined ? undefined : waitSeconds * 1_000,
      };
    }
    case "withheld":
      return { kind: "outage", code: "withheld", message: "The request was not sent" };
    case "refused":
      return { kind: "refused", code: result.code, message: result.message };
    default: {
      const code = result.kind === "timeout" ? "timeout" : result.code;
      return { kind: result.sent ? "lost" : "outage", code, message: result.message };
    }
  }
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString("utf8"));
  } catch {
    return undefined;
  }
}
