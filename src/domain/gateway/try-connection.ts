import { getPointer } from "../../platform/json/pointer.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { TriedConnection } from "../integrations/create-integration.ts";
import type { TestResult, TestStep } from "../integrations/schema.ts";
import type { Auth } from "../providers/auth-schema.ts";
import { escapeToken, type Values } from "../providers/fill-template.ts";
import type { Environment, ProviderManifest } from "../providers/manifest-schema.ts";
import { parseAnswer } from "../providers/parse-answer.ts";
import { readCaptured, readTokenAnswer, secretPlaces, spanAt } from "../providers/read-token-answer.ts";
import { renderRequest } from "../providers/request-template.ts";
import { tokenRequest, tokenStepRequest } from "../providers/token-request.ts";
import { type ConnectionDoor, ConnectionRequests, type StepOutcome } from "./connection-request.ts";

/** A connection test takes no longer, all requests together (DESIGN.md section 8). */
const TEST_TIMEOUT_MS = 10_000;

/** What is tested. */
export interface ConnectionInput {
  tenantId: string;
  integrationId: string | null;
  correlationId: string;
  manifest: ProviderManifest;
  auth: Auth;
  environment: Environment;
  /** Open fields. */
  config: Values;
  /** Secret and one-time fields, and the tokens that there are. */
  credentials: Readonly<Record<string, string>>;
  door?: ConnectionDoor | undefined;
}

/** How a test stands while it goes on. */
interface Trial {
  runtime: Runtime;
  input: ConnectionInput;
  requests: ConnectionRequests;
  deadlineMs: number;
  steps: TestStep[];
  credentials: Record<string, string>;
  derived: Record<string, string>;
  tokens: { values: Record<string, string>; expiresAt: Date | null } | undefined;
}

type Fault = NonNullable<StepOutcome["verdict"]> & { status?: number; field?: string };

/**
 * Finds out whether a credential works: asks for a token where the log-in gives one without a person, then makes the
 * provider's own check. Changes nothing with the provider and stores nothing here but log rows.
 *
 * @returns the result without secrets, and what the log-in gave
 */
export async function tryConnection(runtime: Runtime, input: ConnectionInput): Promise<TriedConnection> {
  const { tenantId, integrationId, manifest, correlationId } = input;
  const startedMs = performance.now();
  const trial: Trial = {
    runtime,
    input,
    requests: new ConnectionRequests(
      runtime,
      { tenantId, integrationId, manifest, correlationId, door: input.door },
      Object.values(input.credentials),
    ),
    deadlineMs: startedMs + TEST_TIMEOUT_MS,
    steps: [],
    credentials: { ...input.credentials },
    derived: {},
    tokens: undefined,
  };
  const tokenFault = await obtainToken(trial);
  const outcome = tokenFault === undefined ? await verify(trial) : { fault: tokenFault };
  await trial.requests.writeLogs();
  const test = resultOf(trial, outcome, Math.round(performance.now() - startedMs));
  return { test, derived: trial.derived, ...(trial.tokens === undefined ? {} : { tokens: trial.tokens }) };
}

/** Gets an access token for log-ins of machines. That of a person has one already, or nobody logged in yet. */
async function obtainToken(trial: Trial): Promise<Fault | undefined> {
  const { auth } = trial.input;
  if (auth.type === "TOKEN_REQUEST") return runTokenSteps(trial, auth);
  if (auth.type !== "OAUTH2_CLIENT_CREDENTIALS" && auth.type !== "OAUTH2_PASSWORD") return undefined;
  const grant = { type: auth.type === "OAUTH2_PASSWORD" ? "password" : "client_credentials" } as const;
  const { manifest } = trial.input;
  const outcome = await send(
    trial,
    "token",
    tokenRequest(manifest, auth, grant, renderInput(trial)),
    secretPlaces(auth.token.answer),
  );
  if (outcome.fault !== undefined) return asTokenFault(outcome.fault);
  const nowMs = trial.runtime.clock.nowMs();
  const reading = readTokenAnswer(auth.token.answer, outcome.document, nowMs);
  if (!reading.ok) {
    const message = reading.error ?? "The answer of the token endpoint holds no access token";
    return { action: "fail", kind: "auth", code: reading.code, message, status: outcome.status };
  }
  const values = {
    accessToken: reading.accessToken,
    ...(reading.refreshToken === undefined ? {} : { refreshToken: reading.refreshToken }),
  };
  const lifeMs = reading.expiresInMs ?? auth.refresh.defaultLifeSeconds * 1_000;
  keepTokens(trial, values, new Date(nowMs + lifeMs));
  Object.assign(trial.derived, reading.captured);
  return undefined;
}

async function runTokenSteps(
  trial: Trial,
  auth: Extract<Auth, { type: "TOKEN_REQUEST" }>,
): Promise<Fault | undefined> {
  const tokens: Record<string, string> = {};
  let expiresAt: Date | null = null;
  for (const [at, step] of auth.steps.entries()) {
    // oxlint-disable-next-line no-await-in-loop -- each step needs the one before
    const outcome = await send(
      trial,
      `token ${step.name}`,
      tokenStepRequest(trial.input.manifest, auth, at, renderInput(trial)),
      Object.values(step.capture),
    );
    if (outcome.fault !== undefined) return asTokenFault(outcome.fault);
    const captured = readCaptured(step.capture, outcome.document);
    const missing = Object.keys(step.capture).find((name) => captured[name] === undefined);
    if (missing !== undefined) {
      const message = `The answer of step "${step.name}" holds no ${missing}`;
      return { action: "fail", kind: "auth", code: "token_missing", message, status: outcome.status };
    }
    Object.assign(tokens, captured);
    Object.assign(trial.credentials, captured);
    trial.requests.hide(Object.values(captured));
    const nowMs = trial.runtime.clock.nowMs();
    const lifeMs = step.expires === undefined ? undefined : spanAt(outcome.document, step.expires, nowMs);
    expiresAt = new Date(nowMs + (lifeMs ?? auth.lifeSeconds * 1_000));
  }
  keepTokens(trial, tokens, expiresAt);
  return undefined;
}

function keepTokens(trial: Trial, values: Record<string, string>, expiresAt: Date | null): void {
  trial.tokens = { values, expiresAt };
  Object.assign(trial.credentials, values);
  trial.requests.hide(Object.values(values));
}

/** The token endpoint says 400 for what is a wrong credential (RFC 6749 section 5.2). */
function asTokenFault(fault: Fault): Fault {
  const isRefusal = fault.status !== undefined && fault.status >= 400 && fault.status < 500;
  return isRefusal && fault.kind === "data" ? { ...fault, kind: "auth", code: "token_refused" } : fault;
}

async function verify(trial: Trial): Promise<{ fault?: Fault; accountName?: string }> {
  const { manifest, auth } = trial.input;
  const { request, expect, accountName } = manifest.verify;
  if (request === null) return {};
  const outcome = await send(
    trial,
    "verify",
    renderRequest(manifest, request, { ...renderInput(trial), auth }),
  );
  if (outcome.fault !== undefined) return { fault: outcome.fault };
  const { status, document } = outcome;
  const isExpected = expect.status.includes(status);
  const absent = (expect.present ?? []).find((pointer) => getPointer(document, pointer) === undefined);
  if (!isExpected || absent !== undefined) {
    const message = isExpected ? `The answer holds nothing at ${absent}` : `The provider answered ${status}`;
    return { fault: { action: "fail", kind: "data", code: "unexpected_answer", message, status } };
  }
  const name = accountName === undefined ? undefined : getPointer(document, accountName);
  return typeof name === "string" || typeof name === "number" ? { accountName: String(name) } : {};
}

function renderInput({ input, credentials, derived }: Trial) {
  return { environment: input.environment, config: { ...input.config, ...derived }, credentials };
}

type Sent = { status: number; document: unknown; fault?: Fault };

async function send(
  trial: Trial,
  name: string,
  rendered: Parameters<ConnectionRequests["send"]>[1],
  secretsAt: readonly string[] = [],
): Promise<Sent> {
  const { step, answer, verdict, field } = await trial.requests.send(
    name,
    rendered,
    trial.deadlineMs,
    secretsAt,
  );
  trial.steps.push(step);
  const status = answer?.status ?? 0;
  const document = answer === undefined ? undefined : parseAnswer(answer);
  if (verdict === undefined || (verdict.action === "ignore" && answer !== undefined))
    return { status, document };
  const fault = {
    ...verdict,
    ...(answer === undefined ? {} : { status }),
    ...(field === undefined ? {} : { field }),
  };
  return { status, document, fault };
}

function resultOf(
  trial: Trial,
  { fault, accountName }: { fault?: Fault; accountName?: string },
  durationMs: number,
): TestResult {
  const { redactor } = trial.requests;
  const isTested = trial.steps.length > 0;
  return {
    passed: fault === undefined,
    testedAt: new Date(trial.runtime.clock.nowMs()).toISOString(),
    durationMs,
    code: fault?.code ?? (isTested ? "ok" : "not_tested"),
    kind: fault?.kind ?? null,
    message:
      fault === undefined
        ? isTested
          ? "The connection works."
          : "The provider has no check that could be made."
        : redactor.text(fault.message),
    fields: fault === undefined ? [] : blamed(trial.input, fault),
    accountName: accountName === undefined ? null : redactor.text(accountName),
    steps: trial.steps,
  };
}

/** JSON pointers to the fields that are likely to be wrong: what the manifest says, else what the fault's kind tells. */
function blamed({ manifest, auth }: ConnectionInput, fault: Fault): string[] {
  const pointer = (name: string): string => `/config/${escapeToken(name)}`;
  if (fault.field !== undefined && manifest.fields.some(({ name }) => name === fault.field))
    return [pointer(fault.field)];
  const rule = manifest.verify.blame?.find(
    ({ status }) => fault.status !== undefined && status.includes(fault.status),
  );
  if (rule !== undefined) return rule.fields.map(pointer);
  if (fault.kind === "auth") {
    return manifest.fields
      .filter(({ kind }) => kind === "secret" || (kind === "one-time" && auth.type !== "NONE"))
      .map(({ name }) => pointer(name));
  }
  if (fault.kind !== "config") return [];
  return manifest.fields
    .filter(({ type }) => type === "url" || type === "host")
    .map(({ name }) => pointer(name));
}
