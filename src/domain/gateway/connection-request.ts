import { senderOf } from "../../platform/egress/runtime-sender.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { newId } from "../../platform/uuid.ts";
import { type ApiLogRow, appendApiLogs } from "../api-logs/append-api-logs.ts";
import { exchangeRow } from "../api-logs/exchange-row.ts";
import { createRedactor, type Redactor } from "../api-logs/redact.ts";
import { ERRORS } from "../errors.ts";
import type { TestStep } from "../integrations/schema.ts";
import { type AnswerClass, classifyAnswer } from "../providers/classify-answer.ts";
import type { ProviderManifest } from "../providers/manifest-schema.ts";
import { parseAnswer } from "../providers/parse-answer.ts";
import { readRateHeaders } from "../providers/rate-headers.ts";
import { textsAt } from "../providers/read-token-answer.ts";
import { redactedNames } from "../providers/redacted-names.ts";
import type { RenderedRequest, RenderOutcome } from "../providers/request-template.ts";
import type { Admitted, CallResult, Refused } from "../rate-limit/admission-call.ts";
import { outcomeFor } from "./judge-answer.ts";

/** For whom the requests of a connection test are made. */
export interface ConnectionOwner {
  tenantId: string;
  /** Null before the integration is stored. */
  integrationId: string | null;
  manifest: ProviderManifest;
  correlationId: string;
  /** Asks whether a request may go out, and ends what it was given. Left out: nothing is stored yet that limits could count. */
  door?: ConnectionDoor | undefined;
}

/** The limits and the circuit of an integration, for its tests. */
export interface ConnectionDoor {
  admit(request: RenderedRequest, leftMs: number): Promise<Admitted | Refused>;
  finish(admitted: Admitted, result: CallResult): Promise<unknown>;
}

/** What one request of a connection test came to. */
export interface StepOutcome {
  step: TestStep;
  /** Undefined when no answer came. */
  answer: { status: number; headers: Headers; body: Uint8Array } | undefined;
  verdict: Exclude<AnswerClass, { action: "ok" }> | undefined;
  /** Field without which the request could not be made. */
  field?: string;
}

/** Beginning of a body that is shown. */
const SHOWN_BYTES = 2_048;
/** Bytes of an answer that are read. */
const ANSWER_BYTES_MAX = 64 * 1_024;

/**
 * Makes requests of a connection test, one after the other, and gathers what every one of them must not show.
 */
export class ConnectionRequests {
  readonly #runtime: Runtime;
  readonly #owner: ConnectionOwner;
  readonly #secrets: Set<string>;
  readonly #logs: ApiLogRow[] = [];

  constructor(runtime: Runtime, owner: ConnectionOwner, secrets: Iterable<string>) {
    this.#runtime = runtime;
    this.#owner = owner;
    this.#secrets = new Set(secrets);
  }

  /** Adds what the provider handed out meanwhile. */
  hide(secrets: Iterable<string>): void {
    for (const secret of secrets) this.#secrets.add(secret);
  }

  get redactor(): Redactor {
    return createRedactor({
      secrets: [...this.#secrets],
      names: redactedNames(this.#owner.manifest),
    });
  }

  /**
   * Sends one request. Never throws for what the provider does.
   *
   * @param secretsAt where in the answer the provider hands out secrets (JSON pointers)
   */
  async send(
    name: string,
    rendered: RenderOutcome,
    deadlineMs: number,
    secretsAt: readonly string[] = [],
  ): Promise<StepOutcome> {
    if (!rendered.ok) {
      return {
        step: { name, request: null, response: null, durationMs: 0 },
        answer: undefined,
        verdict: { action: "fail", kind: "config", code: rendered.code, message: rendered.message },
        ...(rendered.field === undefined ? {} : { field: rendered.field }),
      };
    }
    this.hide(rendered.secrets);
    const { request } = rendered;
    // The API's limits say nothing of token endpoints.
    const door = name.startsWith("token") ? undefined : this.#owner.door;
    const admitted = await door?.admit(request, deadlineMs - performance.now());
    if (admitted?.kind === "refused") return refusedStep(name, admitted);
    const id = newId(this.#runtime.clock.nowMs());
    const result = await senderOf(this.#runtime).send({
      key: `integration:${this.#owner.integrationId ?? this.#owner.tenantId}`,
      url: request.url,
      policy: "public",
      method: request.method,
      headers: request.headers,
      ...(request.body === undefined ? {} : { body: request.body }),
      timeoutMs: Math.max(1, deadlineMs - performance.now()),
      responseBytesMax: ANSWER_BYTES_MAX,
    });
    const durationMs = result.kind === "withheld" ? 0 : Math.round(result.timings.totalMs);
    const answer =
      result.kind === "response"
        ? { status: result.status, headers: new Headers([...result.headers]), body: result.body }
        : undefined;
    // Before anything of the answer is logged or shown.
    if (answer !== undefined) this.hide(textsAt(parseAnswer(answer), secretsAt));
    const verdict =
      answer === undefined
        ? unanswered(result as Exclude<typeof result, { kind: "response" }>)
        : classifyAnswer(this.#owner.manifest, answer, this.#runtime.clock.nowMs());
    const fault = verdict.action === "ok" ? undefined : verdict;
    if (admitted !== undefined) {
      const nowMs = this.#runtime.clock.nowMs();
      await door!.finish(admitted, {
        outcome: outcomeFor(verdict, answer?.status),
        isSent: result.kind === "response" || ("sent" in result && result.sent),
        ...(verdict.action === "ok" || verdict.retryAfterMs === undefined
          ? {}
          : { retryAfterMs: verdict.retryAfterMs }),
        ...(answer === undefined
          ? {}
          : { reports: readRateHeaders(this.#owner.manifest, answer.headers, nowMs) }),
      });
    }
    const { tenantId, integrationId, correlationId } = this.#owner;
    const exchange = { id, tenantId, integrationId, correlationId, request, answer, fault, durationMs };
    this.#logs.push(exchangeRow(this.#runtime.config, this.redactor, exchange));
    return { step: this.#show(name, request, answer, durationMs), answer, verdict: fault };
  }

  /** Writes one log row a request; a log that cannot be written does not make a test fail. */
  async writeLogs(): Promise<void> {
    try {
      await appendApiLogs(this.#runtime.sqlSystem, this.#logs, this.#runtime.config.logBodyMaxBytes);
    } catch (error) {
      this.#runtime.log.warn({ err: error }, "log rows of a connection test not written");
    }
  }

  #show(name: string, request: RenderedRequest, answer: StepOutcome["answer"], durationMs: number): TestStep {
    const { redactor } = this;
    const text = (body: Uint8Array, type: string | null): string =>
      Buffer.from(redactor.body(body, type, SHOWN_BYTES))
        .toString("utf8")
        .replaceAll("\0", "");
    return {
      name,
      durationMs,
      request: {
        method: request.method,
        url: redactor.url(request.url),
        headers: redactor.headers(Object.entries(request.headers)),
        body:
          request.body === undefined
            ? null
            : text(Buffer.from(request.body), new Headers(request.headers).get("content-type")),
      },
      response:
        answer === undefined
          ? null
          : {
              status: answer.status,
              headers: redactor.headers(answer.headers),
              body:
                answer.body.byteLength === 0 ? null : text(answer.body, answer.headers.get("content-type")),
            },
    };
  }
}

function refusedStep(name: string, { code }: Refused): StepOutcome {
  const kind = code === "circuit_open" ? "outage" : "limit";
  return {
    step: { name, request: null, response: null, durationMs: 0 },
    answer: undefined,
    verdict: { action: "retry", kind, code, message: ERRORS[code].title },
  };
}

type Unanswered =
  | { kind: "withheld" }
  | { kind: "refused" | "error"; code: string; message: string }
  | { kind: "timeout"; message: string };

function unanswered(result: Unanswered): Exclude<AnswerClass, { action: "ok" }> {
  if (result.kind === "timeout")
    return { action: "retry", kind: "outage", code: "timeout", message: result.message };
  if (result.kind === "withheld")
    return { action: "retry", kind: "outage", code: "withheld", message: "The request was not sent" };
  const { code, message } = result;
  // A name that does not exist or an address that may not be called is the configuration's fault, not an outage.
  return result.kind === "refused" || code === "dns_not_found"
    ? { action: "fail", kind: "config", code, message }
    : { action: "retry", kind: "outage", code, message };
}
