import { senderOf } from "../../platform/egress/runtime-sender.ts";
import { retryAfterSeconds } from "../../platform/egress/retry-after.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { newId } from "../../platform/uuid.ts";
import { apiLogWriterOf } from "../api-logs/api-log-writer.ts";
import { exchangeRow } from "../api-logs/exchange-row.ts";
import { createRedactor } from "../api-logs/redact.ts";
import type { ProviderManifest } from "../providers/manifest-schema.ts";
import { parseAnswer } from "../providers/parse-answer.ts";
import { textsAt } from "../providers/read-token-answer.ts";
import { redactedNames } from "../providers/redacted-names.ts";
import type { RenderOutcome } from "../providers/request-template.ts";
import type { TokenAnswerInput, TokenFault } from "./judge-token-answer.ts";
import { tokenMetricsOf } from "./token-metrics.ts";

/** Time for everything that getting a token takes, several steps included. */
export const TOKEN_TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 64 * 1_024;

/** For whom a request is made. */
export interface ExchangeOwner {
  tenantId: string;
  integrationId: string;
  /** Request that led to it, or id of the journal row or run. */
  correlationId: string;
  manifest?: Pick<ProviderManifest, "redact">;
  /** What no log may show, besides what the request itself carries. */
  credentials?: Readonly<Record<string, string>>;
}

/** Bounds of a request. */
export interface Sending {
  deadlineMs: number;
  /** Asked at the last moment: false when the right to ask was lost meanwhile. */
  mayStart(): boolean;
}

/** A request of a log-in and what came of it. */
export interface TokenExchange {
  outcome: TokenAnswerInput | TokenFault;
  /**
   * Ends it with what the answer turned out to mean: counts it, and writes its log row. Nothing is written of a request
   * that was never made.
   */
  conclude(fault: TokenFault | undefined): void;
}

/**
 * Sends one request of a log-in by the hub's sender: only to the addresses of the integration's environment, redirects
 * are refused, answers are bounded. Never throws for what the provider does.
 *
 * @param secretsAt where in the answer secrets stand (JSON pointers)
 */
export async function exchangeToken(
  runtime: Runtime,
  owner: ExchangeOwner,
  rendered: RenderOutcome,
  { deadlineMs, mayStart, secretsAt = [] }: Sending & { secretsAt?: readonly string[] },
): Promise<TokenExchange> {
  const metrics = tokenMetricsOf(runtime);
  if (!rendered.ok) {
    const { code, message } = rendered;
    return { outcome: { kind: "refused", code, message }, conclude: () => metrics.result.inc("refused") };
  }
  const { request } = rendered;
  const id = newId(runtime.clock.nowMs());
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
  const answer = result.kind === "response" ? result : undefined;
  const document = answer === undefined ? undefined : parseAnswer(answer);
  const outcome = outcomeOf(result, document, runtime.clock.nowMs());
  const conclude = (fault: TokenFault | undefined): void => {
    metrics.result.inc(fault?.kind ?? "ok");
    if (result.kind === "withheld") return;
    metrics.seconds.observe(result.timings.totalMs / 1_000);
    const secrets = [
      ...rendered.secrets,
      ...Object.values(owner.credentials ?? {}),
      ...textsAt(document, secretsAt),
    ];
    const redactor = createRedactor({ secrets, names: redactedNames(owner.manifest ?? {}) });
    const durationMs = result.timings.totalMs;
    apiLogWriterOf(runtime).add(
      exchangeRow(runtime.config, redactor, { ...owner, id, request, answer, fault, durationMs }),
    );
  };
  return { outcome, conclude };
}

type SendResult = Awaited<ReturnType<ReturnType<typeof senderOf>["send"]>>;

function outcomeOf(result: SendResult, document: unknown, nowMs: number): TokenAnswerInput | TokenFault {
  switch (result.kind) {
    case "response": {
      const { status, headers } = result;
      const waitSeconds = retryAfterSeconds(headers.get("retry-after"), nowMs);
      const retryAfterMs = waitSeconds === undefined ? undefined : waitSeconds * 1_000;
      return { status, document, retryAfterMs, location: headers.get("location") };
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
