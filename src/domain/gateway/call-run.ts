import { senderOf } from "../../platform/egress/runtime-sender.ts";
import type { StreamedAnswer, StreamFailure } from "../../platform/egress/streamed-exchange.ts";
import { newId } from "../../platform/uuid.ts";
import type { Context } from "../context.ts";
import { HubError } from "../errors.ts";
import type { LoadedIntegration } from "../integrations/loaded-integration.ts";
import { recordOutcome } from "../integrations/record-outcome.ts";
import { ensureFreshToken } from "../oauth/ensure-fresh-token.ts";
import { buildUrl } from "../providers/build-url.ts";
import type { AnswerClass } from "../providers/classify-answer.ts";
import { readRateHeaders } from "../providers/rate-headers.ts";
import type { AdmissionCall, Admitted, Refused } from "../rate-limit/admission-call.ts";
import type { CallOptions } from "./call-options.ts";
import { noteError } from "./error-notices.ts";
import { type GatewayAdmission, gatewayAdmissionOf } from "./gateway-admission.ts";
import { type CallInfo, GatewayError } from "./gateway-error.ts";
import { inFlightOf } from "./in-flight.ts";
import { judgeAnswer, type JudgedAnswer, judgeFailure, outcomeFor } from "./judge-answer.ts";
import { loggedBytes, logTry } from "./log-try.ts";
import { ReplayableBody } from "./replayable-body.ts";
import { type CallBody, type RequestOut, requestOut } from "./request-out.ts";
import { isSafe } from "./retry-policy.ts";
import { type Proof, proofOf, type Upstream, upstreamOf } from "./upstream.ts";

/** One request for a provider, as a caller gives it. */
export interface ProviderCall {
  integration: LoadedIntegration;
  method: string;
  /** Path below the provider's base address, with its query. */
  target: string;
  /** What of the caller's headers goes on. */
  headers: Readonly<Record<string, string>>;
  body: CallBody;
  options: CallOptions;
  /** The caller is gone. */
  signal?: AbortSignal | undefined;
}

/** A try that reached its end, or an answer's head. */
export interface Tried {
  verdict: AnswerClass;
  /** Undefined when none came. */
  answer: StreamedAnswer | undefined;
  failure: StreamFailure | undefined;
  isSent: boolean;
  /** Access token that was sent. */
  token: string | undefined;
  proof: Proof;
  /** Ends the try: gives its leases back and writes its log row. Only the first call counts. */
  settle(later?: StreamFailure): Promise<void>;
  /** Keeps the beginning of the answer's body for the log. */
  note(piece: Uint8Array): void;
}

/** One call with all its tries: what they have in common, and what they add up to. */
export class CallRun {
  readonly ctx: Context;
  readonly call: ProviderCall;
  readonly deadlineMs: number;
  readonly info: CallInfo = {
    logId: undefined,
    attempts: 0,
    queuedMs: 0,
    rateRemaining: undefined,
    circuit: undefined,
  };
  #integration: LoadedIntegration;
  #firstLogId: string | null = null;

  constructor(ctx: Context, call: ProviderCall) {
    this.ctx = ctx;
    this.call = call;
    this.#integration = call.integration;
    const { timeoutMs } = call.options;
    this.deadlineMs = performance.now() + (timeoutMs ?? call.integration.timeoutSeconds * 1_000);
  }

  get leftMs(): number {
    return this.deadlineMs - performance.now();
  }

  /** A sentence for the caller; also what the log says. */
  error(
    code: ConstructorParameters<typeof GatewayError>[0],
    detail?: string,
    retryAfterMs?: number,
  ): GatewayError {
    return new GatewayError(code, detail, this.info, retryAfterMs);
  }

  /**
   * One try: credential, admission, request, and the answer as far as its meaning needs it.
   *
   * @param rejectedToken the access token that the provider refused
   * @throws HubError when the hub itself lets nothing out
   */
  async try(rejectedToken?: string): Promise<Tried> {
    const { runtime } = this.ctx;
    const refreshAtMs = performance.now();
    const usable = await ensureFreshToken(
      this.ctx,
      this.#integration,
      rejectedToken === undefined ? {} : { rejectedToken },
    );
    const refreshMs = performance.now() - refreshAtMs;
    this.#integration = usable.integration;
    const upstream = upstreamOf(runtime, this.#integration);
    const proof = proofOf(this.#integration, usable.credentials, upstream.config);
    const { door, admitted, isFallback, limiterMs } = await this.#admit(upstream, proof);
    const inFlight = inFlightOf(runtime);
    if (!inFlight.tryTake()) {
      await door.admission.finish(admitted.lease, { outcome: "none", isSent: false });
      throw this.error("gateway_busy", undefined, 1_000);
    }
    const timings = { queue: round(admitted.queuedMs), limiter: round(limiterMs), refresh: round(refreshMs) };
    const start = {
      upstream,
      proof,
      door,
      admitted,
      isFallback,
      timings,
      token: usable.credentials["accessToken"],
    };
    try {
      return await this.#send(start);
    } catch (error) {
      // The request could not be made: nothing went out.
      inFlight.give();
      await door.admission.finish(admitted.lease, { outcome: "none", isSent: false });
      throw error;
    }
  }

  /** Waits for the provider's limits; an open circuit leads to the fallback server where there is one. */
  async #admit(upstream: Upstream, proof: Proof) {
    const { runtime } = this.ctx;
    const door = await gatewayAdmissionOf(runtime);
    const { id, tenantId, providerId, environment } = this.#integration;
    const path = this.call.target.split("?", 1)[0]!;
    const { priority, queueTimeoutMs } = this.call.options;
    const settings = await door.circuitSettings.get(id);
    const request: AdmissionCall = {
      tenantId,
      integrationId: id,
      providerId,
      environment,
      callId: newId(runtime.clock.nowMs()),
      ...upstream.limitsOf(this.call.method, path.startsWith("/") ? path : `/${path}`),
      circuit: settings,
      priority,
      deadlineMs: Math.max(0, this.leftMs),
      queueTimeoutMs,
    };
    const startedMs = performance.now();
    let isFallback = false;
    let reply = await door.admission.admit(request, this.call.signal);
    if (reply.kind === "refused" && reply.code === "circuit_open" && upstream.fallbackBaseUrl !== undefined) {
      isFallback = true;
      reply = await door.admission.admit({ ...request, route: "fallback" }, this.call.signal);
    }
    this.info.queuedMs += round(reply.queuedMs);
    this.info.circuit = reply.circuit.state;
    const limiterMs = performance.now() - startedMs - reply.queuedMs;
    if (reply.kind === "refused") throw await this.#refuse(reply, proof, limiterMs);
    const remaining = Math.min(...Object.values(reply.remaining));
    this.info.rateRemaining = Number.isFinite(remaining) ? remaining : undefined;
    return { door, admitted: reply, isFallback, limiterMs };
  }

  /** A refusal is logged like a try: it is what became of the call. */
  async #refuse(refused: Refused, proof: Proof, limiterMs: number): Promise<GatewayError> {
    const { code, retryAfterMs, queuedMs } = refused;
    const error = this.error(code, undefined, retryAfterMs);
    const kind = code === "circuit_open" ? "outage" : "limit";
    const verdict = { action: "fail", kind, code, message: error.message } as const;
    const timings = { queue: round(queuedMs), limiter: round(limiterMs), total: round(queuedMs + limiterMs) };
    const url = buildUrl(upstreamOf(this.ctx.runtime, this.#integration).baseUrl, this.call.target);
    await this.#log({
      id: this.#nextLogId(),
      attempt: null,
      proof,
      url: url.ok ? url.url : "",
      headers: this.call.headers,
      timings,
      verdict,
    });
    return error;
  }

  async #send(start: {
    upstream: Upstream;
    proof: Proof;
    door: GatewayAdmission;
    admitted: Admitted;
    isFallback: boolean;
    timings: Record<string, number>;
    token: string | undefined;
  }): Promise<Tried> {
    const { upstream, proof, isFallback } = start;
    const { method, options, signal, headers, body } = this.call;
    const built = buildUrl(isFallback ? upstream.fallbackBaseUrl! : upstream.baseUrl, this.call.target);
    if (!built.ok) throw this.error("path_invalid", built.message);
    const { manifest } = this.#integration;
    const out = await requestOut(manifest, proof, { url: built.url, method, headers, body }, options);
    const id = this.#nextLogId();
    const attempt = ++this.info.attempts;
    const result = await senderOf(this.ctx.runtime).open({
      url: out.url,
      policy: "public",
      method,
      headers: out.headers,
      ...(out.body === undefined ? {} : { body: out.body }),
      timeoutMs: Math.max(1, Math.ceil(this.leftMs)),
      repeatable: isSafe(method) || options.idempotencyKey !== undefined,
      signal,
    });
    const answer = result.kind === "answer" ? result.answer : undefined;
    const nowMs = this.ctx.runtime.clock.nowMs();
    const judged = answer === undefined ? undefined : await judgeAnswer(manifest, answer, nowMs);
    // It may have broken off while its beginning was waited for: then nothing of it goes on.
    const broken = answer?.hasFailed === true ? await answer.ended : undefined;
    const failure = result.kind === "answer" ? broken : result;
    const verdict = failure === undefined ? judged!.verdict : judgeFailure(failure);
    const noted: Uint8Array[] = [];
    const notedMax = loggedBytes(this.ctx.runtime, "response");
    let notedBytes = 0;
    let settled: Promise<void> | undefined;
    return {
      verdict,
      answer,
      failure,
      isSent: failure === undefined || (failure.kind !== "refused" && failure.sent),
      token: start.token,
      proof,
      note: (piece) => {
        if (notedBytes < notedMax) noted.push(piece);
        notedBytes += piece.byteLength;
      },
      settle: (later) => {
        settled ??= this.#settle({
          ...start,
          id,
          attempt,
          out,
          verdict,
          answer,
          judged,
          failure: later ?? failure,
          noted,
        });
        return settled;
      },
    };
  }

  async #settle(end: {
    id: string;
    attempt: number;
    door: GatewayAdmission;
    admitted: Admitted;
    isFallback: boolean;
    proof: Proof;
    out: RequestOut;
    timings: Record<string, number>;
    verdict: AnswerClass;
    answer: StreamedAnswer | undefined;
    judged: JudgedAnswer | undefined;
    failure: StreamFailure | undefined;
    noted: readonly Uint8Array[];
  }): Promise<void> {
    const { runtime } = this.ctx;
    const { answer, failure, judged } = end;
    inFlightOf(runtime).give();
    const verdict = failure === undefined ? end.verdict : judgeFailure(failure);
    const nowMs = runtime.clock.nowMs();
    const { manifest } = this.#integration;
    const reports = judged === undefined ? [] : readRateHeaders(manifest, judged.headers, nowMs);
    const retryAfterMs = verdict.action === "ok" ? undefined : verdict.retryAfterMs;
    const outcome = outcomeFor(verdict, failure === undefined ? answer?.status : undefined);
    const finished = end.door.admission.finish(end.admitted.lease, {
      outcome,
      isSent: failure === undefined || (failure.kind !== "refused" && failure.sent),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      reports,
    });
    const spent = answer?.timings ?? failure!.timings;
    const timings = {
      ...end.timings,
      ...(spent.connectMs === undefined ? {} : { connect: round(spent.connectMs) }),
      ...(spent.firstByteMs === undefined ? {} : { firstByte: round(spent.firstByteMs) }),
      total: round(spent.totalMs),
    };
    const logged = this.#log({
      id: end.id,
      attempt: end.attempt,
      proof: end.proof,
      url: end.out.url,
      headers: end.out.headers,
      timings,
      verdict,
      ...(answer === undefined
        ? {}
        : {
            answer: {
              status: answer.status,
              headers: answer.headers,
              body: end.noted.length === 1 ? end.noted[0]! : Buffer.concat(end.noted),
              bytes: answer.size,
            },
          }),
    });
    // A failure may have opened the circuit: the caller is told. A success changes nothing that he could wait for.
    if (outcome === "failure") this.info.circuit = (await finished)?.state ?? this.info.circuit;
    await logged;
  }

  async #log(row: {
    id: string;
    /** Null: nothing went out. */
    attempt: number | null;
    proof: Proof;
    url: string;
    headers: Readonly<Record<string, string>>;
    timings: Readonly<Record<string, number>>;
    verdict: AnswerClass;
    answer?: { status: number; headers: Iterable<[string, string]>; body: Uint8Array; bytes: number };
  }): Promise<void> {
    const { ctx, call } = this;
    const wanted = loggedBytes(ctx.runtime, "request");
    const sent = call.body instanceof ReplayableBody ? call.body.beginning() : call.body;
    const first = this.#firstLogId;
    await logTry(ctx.runtime, row.proof.redactor, {
      id: row.id,
      tenantId: ctx.tenantId,
      integrationId: this.#integration.id,
      correlationId: ctx.requestId,
      userId: ctx.actor.type === "user" ? ctx.actor.id : null,
      sourceIp: ctx.sourceIp ?? null,
      method: call.method,
      url: row.url,
      headers: row.headers,
      requestBody: wanted === 0 ? undefined : sent?.subarray(0, wanted),
      requestBytes: call.body instanceof ReplayableBody ? call.body.size : (call.body?.byteLength ?? 0),
      answer: row.answer,
      verdict: row.verdict,
      timings: row.timings,
      attempt: row.attempt,
      retryOf: first === row.id ? null : first,
    }).catch((error: unknown) => ctx.runtime.log.error({ err: error }, "call not logged"));
  }

  #nextLogId(): string {
    const id = newId(this.ctx.runtime.clock.nowMs());
    this.info.logId = id;
    this.#firstLogId ??= id;
    return id;
  }

  /** The call is over: for the integration's health, and for those who are to hear of errors. */
  conclude(verdict: AnswerClass, proof: Proof): void {
    const { runtime } = this.ctx;
    const integrationId = this.#integration.id;
    const atMs = runtime.clock.nowMs();
    if (verdict.action === "ok" || verdict.action === "ignore")
      recordOutcome(runtime, { integrationId, atMs });
    else if (verdict.kind !== "data") {
      const error = { code: verdict.code, message: proof.redactor.text(verdict.message) };
      recordOutcome(runtime, { integrationId, atMs, error });
      this.tell(verdict.kind, error);
    } else if (verdict.code !== "aborted") {
      // The provider works, and the caller's own request is to blame.
      recordOutcome(runtime, { integrationId, atMs });
    }
  }

  /** Tells of a final error. */
  tell(kind: string, { code, message }: { code: string; message: string }): void {
    const { runtime, tenantId } = this.ctx;
    const atMs = runtime.clock.nowMs();
    noteError(runtime, { tenantId, integrationId: this.#integration.id, code, kind, message, atMs });
  }
}

function round(ms: number): number {
  return Math.max(0, Math.round(ms));
}

/** For a verb that is called with an integration that lets no calls through. */
export function checkCallable({ status, row }: LoadedIntegration): void {
  if (status === "PAUSED")
    throw new HubError("integration_paused", "It is disabled: enable it to make calls.");
  if (status !== "PENDING_AUTH") return;
  // With tokens: the person who logged in has not chosen an account yet; `last_error` says how to.
  const isChoice = row.oauthTokens !== null && row.lastError?.startsWith("account_choice_needed") === true;
  throw new HubError(
    "reauthorization_required",
    isChoice ? `${row.lastError}.` : "Somebody has to log in with the provider first.",
  );
}
