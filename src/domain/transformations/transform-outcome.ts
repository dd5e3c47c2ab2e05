import type { Frame } from "../../platform/sandbox/frames.ts";
import { PAUSE_MS } from "./lane-health.ts";
import type { FailureText } from "./protocol.ts";
import { FAILURES, FRAME } from "./protocol.ts";

export type TransformFailureCode =
  | "transform_timeout"
  | "transform_memory"
  | "transform_failed"
  | "transform_input_too_large"
  | "transform_output_too_large"
  | "transform_busy"
  | "transform_paused";

/**
 * `output` is JSON text. `retryable`: the same document may pass later. `isMissing`: the expression is in order and
 * gives no value for this input.
 */
export type TransformOutcome =
  | { ok: true; output: string }
  | { ok: false; code: TransformFailureCode; message: string; retryable: boolean; isMissing?: true };

/** An outcome that the pool decides without an answer of a child. */
export interface Verdict {
  code: "transform_timeout" | "transform_memory" | "transform_busy" | "transform_paused";
  message: string;
}

const RETRYABLE: ReadonlySet<TransformFailureCode> = new Set([
  "transform_timeout",
  "transform_busy",
  "transform_paused",
]);

export const CODE_OF_FAILURE = {
  failed: "transform_failed",
  timeout: "transform_timeout",
  memory: "transform_memory",
  output_too_large: "transform_output_too_large",
  no_value: "transform_failed",
} as const;

export const CLOSED: Verdict = { code: "transform_busy", message: "The process is shutting down" };

export function failure(code: TransformFailureCode, message: string): TransformOutcome {
  return { ok: false, code, message, retryable: RETRYABLE.has(code) };
}

/** Text of a `failed` frame. */
export function textOf(frame: Frame): FailureText {
  return JSON.parse(frame.text) as FailureText;
}

/** What the caller of the pool is told. */
export function outcomeOf(answer: Frame | Verdict): TransformOutcome {
  if ("code" in answer) return failure(answer.code, answer.message);
  if (answer.kind === FRAME.done) return { ok: true, output: answer.text };
  const failed = FAILURES[answer.b] ?? "failed";
  const outcome = failure(CODE_OF_FAILURE[failed], textOf(answer).message);
  return failed === "no_value" && !outcome.ok ? { ...outcome, isMissing: true } : outcome;
}

export function pausedVerdict(): Verdict {
  const seconds = PAUSE_MS / 1000;
  const message = `The transformation failed by time or memory several times in a row; it is paused for ${seconds} s`;
  return { code: "transform_paused", message };
}
